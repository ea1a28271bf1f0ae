/**
 * The input history, kept across kernels in a file of one JSON line per cell.
 * A line is `[session, line, input]`; sessions are numbered from 1 in the order in which they began.
 */
import { appendFileSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";

export type Entry = [session: number, line: number, input: string];

const MAX_ENTRIES = 10_000;

export function historyFile(): string {
  if (process.env.MLSYS_HISTORY) return process.env.MLSYS_HISTORY;
  const data = process.env.XDG_DATA_HOME ?? join(homedir(), ".local", "share");
  return join(data, "mlsys-kernel", "history.jsonl");
}

export class History {
  private entries: Entry[] | undefined;
  private session = 0;

  constructor(
    private readonly file: string,
    private readonly log: (line: string) => void,
  ) {}

  add(line: number, input: string): void {
    this.load().push([this.session, line, input]);
    try {
      appendFileSync(this.file, `${JSON.stringify([this.session, line, input])}\n`);
    } catch (error) {
      this.log(`history not written: ${(error as Error).message}`);
    }
  }

  /** The last `count` inputs, oldest first. */
  tail(count: number): Entry[] {
    return count <= 0 ? [] : this.load().slice(-count);
  }

  /** Lines `start` to `stop` (exclusive) of a session; 0 is this one, -1 the one before it. */
  range(session: number, start: number, stop: number | undefined): Entry[] {
    const wanted = session > 0 ? session : this.currentSession() + session;
    return this.load().filter(
      ([owner, line]) => owner === wanted && line >= start && (stop === undefined || line < stop),
    );
  }

  /** The last `count` inputs that match a glob (`*` and `?`), oldest first. */
  search(pattern: string, count: number | undefined, unique: boolean): Entry[] {
    const matcher = glob(pattern);
    let found = this.load().filter(([, , input]) => matcher(input));
    if (unique) found = [...new Map(found.map((entry) => [entry[2], entry])).values()];
    return count === undefined ? found : found.slice(Math.max(0, found.length - count));
  }

  private currentSession(): number {
    this.load();
    return this.session;
  }

  private load(): Entry[] {
    if (this.entries) return this.entries;
    this.entries = this.read();
    this.session = this.entries.reduce((last, [session]) => Math.max(last, session), 0) + 1;
    return this.entries;
  }

  private read(): Entry[] {
    let text: string;
    try {
      mkdirSync(dirname(this.file), { recursive: true });
      text = readFileSync(this.file, "utf8");
    } catch {
      return [];
    }
    const lines = text.split("\n").filter((line) => line !== "");
    const entries = lines.flatMap(parseEntry).slice(-MAX_ENTRIES);
    if (lines.length > MAX_ENTRIES * 2) this.rewrite(entries);
    return entries;
  }

  private rewrite(entries: Entry[]): void {
    try {
      const next = `${this.file}.${process.pid}`;
      writeFileSync(next, `${entries.map((entry) => JSON.stringify(entry)).join("\n")}\n`);
      renameSync(next, this.file);
    } catch (error) {
      this.log(`history not shortened: ${(error as Error).message}`);
    }
  }
}

function parseEntry(line: string): Entry[] {
  try {
    const entry = JSON.parse(line) as unknown[];
    const [session, number, input] = entry;
    return Number.isInteger(session) && Number.isInteger(number) && typeof input === "string"
      ? [entry as Entry]
      : [];
  } catch {
    return [];
  }
}

/** Matches by hand: a pattern turned into a regular expression can take exponential time. */
function glob(pattern: string): (text: string) => boolean {
  return (text) => {
    let p = 0;
    let t = 0;
    let star = -1;
    let mark = 0;
    while (t < text.length) {
      if (pattern[p] === "*") {
        star = p++;
        mark = t;
      } else if (p < pattern.length && (pattern[p] === "?" || pattern[p] === text[t])) {
        p++;
        t++;
      } else if (star >= 0) {
        p = star + 1;
        t = ++mark;
      } else return false;
    }
    while (pattern[p] === "*") p++;
    return p === pattern.length;
  };
}
