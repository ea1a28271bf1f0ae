/**
 * The history of inputs and results, kept across kernels in one file that several kernels may write at once.
 *
 * Every line is JSON and is written by one append, so lines of different kernels do not mix:
 * `{ "session": id }` begins a session, `[session, line, input]` is a cell, `{ "output": [session, line, text] }`
 * its result. Sessions are numbered from 1 in the order of their first lines; all kernels read the same order,
 * so no two of them have the same number.
 */
import { randomUUID } from "node:crypto";
import {
  appendFileSync,
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";

export type Entry = [session: number, line: number, input: string, output?: string];

const MAX_ENTRIES = 10_000;
/** A longer result is cut: the history is for finding things, not for keeping them. */
const MAX_OUTPUT = 10_000;

export function historyFile(): string {
  if (process.env.MLSYS_HISTORY) return process.env.MLSYS_HISTORY;
  const data = process.env.XDG_DATA_HOME ?? join(homedir(), ".local", "share");
  return join(data, "mlsys-kernel", "history.jsonl");
}

export class History {
  private entries: Entry[] = [];
  /** Numbers of the sessions that were begun, by their ids. */
  private readonly sessions = new Map<string, number>();
  private last = 0;
  /** How far the file was read, and which file it was. */
  private read = { inode: 0, offset: 0, lines: 0 };
  private warned = false;
  /** The session of each shell of this kernel. */
  private readonly own = new Map<number, number>();

  constructor(
    private readonly file: string,
    private readonly log: (line: string) => void,
  ) {}

  /** @param shell 0 for the main shell; each subshell has a history of its own. */
  add(line: number, input: string, shell = 0): void {
    this.append([this.session(shell), line, input]);
  }

  /** Adds the result of the cell that was `line` of the shell. */
  addOutput(line: number, output: string, shell = 0): void {
    this.append({ output: [this.session(shell), line, output.slice(0, MAX_OUTPUT)] });
  }

  /** The last `count` inputs, oldest first. */
  tail(count: number): Entry[] {
    this.refresh();
    return count <= 0 ? [] : this.entries.slice(-count);
  }

  /** Lines `start` to `stop` (exclusive) of a session; 0 is the shell's own, -1 the one before it. */
  range(session: number, start: number, stop: number | undefined, shell = 0): Entry[] {
    const wanted = session > 0 ? session : this.session(shell) + session;
    this.refresh();
    return this.entries.filter(
      ([owner, line]) => owner === wanted && line >= start && (stop === undefined || line < stop),
    );
  }

  /** The last `count` inputs that match a glob (`*` and `?`), oldest first. */
  search(pattern: string, count: number | undefined, unique: boolean): Entry[] {
    this.refresh();
    const matcher = glob(pattern);
    let found = this.entries.filter(([, , input]) => matcher(input));
    if (unique) {
      // The latest of equal inputs, at its own place.
      const latest = new Set(new Map(found.map((entry) => [entry[2], entry])).values());
      found = found.filter((entry) => latest.has(entry));
    }
    return count === undefined ? found : found.slice(Math.max(0, found.length - count));
  }

  private session(shell: number): number {
    const known = this.own.get(shell);
    if (known !== undefined) return known;
    const id = randomUUID();
    this.refresh();
    this.append({ session: id });
    this.refresh();
    const number = this.sessions.get(id) ?? this.last + 1;
    this.own.set(shell, number);
    return number;
  }

  private append(line: unknown): void {
    const text = `${JSON.stringify(line)}\n`;
    try {
      appendFileSync(this.file, text);
    } catch (error) {
      if (!this.warned) this.log(`history not written: ${(error as Error).message}`);
      this.warned = true;
      this.take(text);
    }
  }

  /** Reads what this kernel and others have written since the last time. */
  private refresh(): void {
    let descriptor: number;
    try {
      if (this.read.inode === 0) mkdirSync(dirname(this.file), { recursive: true });
      descriptor = openSync(this.file, "r");
    } catch {
      return;
    }
    try {
      const { ino, size } = fstatSync(descriptor);
      if (ino !== this.read.inode || size < this.read.offset) {
        this.entries = [];
        this.read = { inode: ino, offset: 0, lines: 0 };
      }
      const fresh = Buffer.alloc(size - this.read.offset);
      const count = readSync(descriptor, fresh, 0, fresh.length, this.read.offset);
      // A line that another kernel is writing right now is left for the next time.
      const end = fresh.subarray(0, count).lastIndexOf("\n") + 1;
      this.read.offset += end;
      this.take(fresh.toString("utf8", 0, end));
    } finally {
      closeSync(descriptor);
    }
    if (this.read.lines > MAX_ENTRIES * 5) this.shorten();
  }

  private take(text: string): void {
    for (const line of text.split("\n")) {
      if (line === "") continue;
      this.read.lines++;
      try {
        this.takeLine(JSON.parse(line));
      } catch {
        // Not a line of ours: somebody edited the file.
      }
    }
    if (this.entries.length > MAX_ENTRIES * 2) this.entries = this.entries.slice(-MAX_ENTRIES);
  }

  private takeLine(line: unknown): void {
    if (Array.isArray(line)) {
      const [session, number, input] = line as unknown[];
      if (!Number.isInteger(session) || !Number.isInteger(number) || typeof input !== "string") return;
      this.entries.push([session as number, number as number, input]);
      this.last = Math.max(this.last, session as number);
      return;
    }
    const { session, number, output } = line as { session?: unknown; number?: unknown; output?: unknown };
    if (typeof session === "string") {
      this.last = typeof number === "number" ? Math.max(number, this.last) : this.last + 1;
      this.sessions.set(session, typeof number === "number" ? number : this.last);
    }
    if (!Array.isArray(output)) return;
    const [owner, at, text] = output as unknown[];
    const entry = this.entries.findLast(([one, two]) => one === owner && two === at);
    if (entry && typeof text === "string") entry[3] = text;
  }

  /** Keeps the last entries. What others append meanwhile is carried over, but for the moment of the renaming. */
  private shorten(): void {
    const next = `${this.file}.${process.pid}`;
    const kept = this.entries.slice(-MAX_ENTRIES);
    const lines: unknown[] = [...this.sessions]
      .filter(([, number]) => number >= kept[0]![0])
      .map(([session, number]) => ({ session, number }));
    for (const [session, line, input, output] of kept) {
      lines.push([session, line, input]);
      if (output !== undefined) lines.push({ output: [session, line, output] });
    }
    try {
      writeFileSync(next, `${lines.map((line) => JSON.stringify(line)).join("\n")}\n`);
      const { offset } = this.read;
      const { size } = statSync(this.file);
      if (size > offset) appendFileSync(next, readPart(this.file, offset, size - offset));
      renameSync(next, this.file);
    } catch (error) {
      this.log(`history not shortened: ${(error as Error).message}`);
    }
    this.read.lines = 0;
  }
}

function readPart(file: string, offset: number, length: number): Buffer {
  const descriptor = openSync(file, "r");
  try {
    const part = Buffer.alloc(length);
    return part.subarray(0, readSync(descriptor, part, 0, length, offset));
  } finally {
    closeSync(descriptor);
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
