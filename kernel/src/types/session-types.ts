/**
 * The kernel's type service: cells are checked by TypeScript 7's native process, completed and inspected by TypeScript 6's
 * language service on a thread. Where there is no native checker, or it fails, the thread checks too.
 */
import { TypeThread } from "./client.js";
import type { NativeChecker, NativeOptions } from "./native-checker.js";
import { TSLAB_IMPORT } from "./options.js";
import type {
  CellLanguage,
  CheckResult,
  Completeness,
  Completions,
  Inspection,
  Settings,
  TypeService,
} from "./service.js";

/** The language service loads when the first cells had the processor to themselves. */
const THREAD_WARMS_AFTER_MS = 1_500;
const MAYBE_JSX = /<\/|\/>/;
/** A check that takes longer will never end. */
const GIVE_UP_AFTER_MS = 60_000;

export class SessionTypes implements TypeService {
  private readonly thread: TypeThread;
  private native: Promise<NativeChecker | undefined> | undefined;
  /** The session has cells in JavaScript, in JSX or for tslab, which the native checker cannot be given: the thread checks. */
  private special = false;
  /** Cells that ran before the native checker was needed. */
  private readonly backlog: string[] = [];

  constructor(
    private readonly directory: string,
    private readonly log: (line: string) => void,
    private readonly options: NativeOptions = {},
  ) {
    this.thread = new TypeThread(directory, log);
  }

  /** Loads checker and language service ahead of their first use. */
  warm(): void {
    void this.checker().then((native) => native?.check("const warm = [1].map((x) => x);").catch(() => {}));
    setTimeout(() => this.thread.warm(), THREAD_WARMS_AFTER_MS).unref();
  }

  settings(): Promise<Settings> {
    return this.thread.settings();
  }

  async check(cell: string, text: string, language?: CellLanguage): Promise<CheckResult> {
    if (language === "javascript" || TSLAB_IMPORT.test(text)) this.special = true;
    const native = this.special ? undefined : await this.checker();
    if (!native) return this.thread.check(cell, text, language);
    try {
      const found = await answered(native.check(text));
      if (!MAYBE_JSX.test(text) || !found.problems.some(({ syntax }) => syntax)) return found;
      const other = await this.thread.check(cell, text);
      this.special = !other.problems.some(({ syntax }) => syntax);
      return other;
    } catch (error) {
      this.giveUp(error);
      return this.thread.check(cell, text);
    }
  }

  /** All cells of a session at once. @returns whether they are right; if not, or if that is not known: reset, and check one by one */
  async checkAll(cells: readonly { text: string; unchecked: boolean }[]): Promise<boolean> {
    if (this.special || cells.some(({ text }) => TSLAB_IMPORT.test(text) || MAYBE_JSX.test(text)))
      return false;
    const native = await this.checker();
    try {
      return native ? await answered(native.checkAll(cells)) : false;
    } catch (error) {
      this.giveUp(error);
      return false;
    }
  }

  commit(cell: string, text: string, language?: CellLanguage): void {
    this.thread.commit(cell, text, language);
    if (TSLAB_IMPORT.test(text)) this.special = true;
    if (this.special) return;
    // A session that is not checked needs no checker, until somebody turns the check on.
    if (!this.native) this.backlog.push(text);
    else void this.native.then((native) => native?.commit(text).catch((error) => this.giveUp(error)));
  }

  complete(text: string, offset: number): Promise<Completions> {
    return this.thread.complete(text, offset);
  }

  inspect(text: string, offset: number): Promise<Inspection | undefined> {
    return this.thread.inspect(text, offset);
  }

  isComplete(text: string): Promise<Completeness> {
    return this.thread.isComplete(text);
  }

  packagesChanged(): void {
    this.thread.packagesChanged();
    void this.native?.then((native) => native?.packagesChanged());
  }

  reset(): void {
    this.special = false;
    this.backlog.length = 0;
    this.thread.reset();
    void this.native?.then((native) => native?.reset().catch((error) => this.giveUp(error)));
  }

  async close(): Promise<void> {
    await (await this.native)?.close();
    await this.thread.close();
  }

  private checker(): Promise<NativeChecker | undefined> {
    this.native ??= import("./native-checker.js")
      .then(({ NativeChecker }) => NativeChecker.open(this.directory, this.options))
      .catch((error: unknown) => {
        this.log(`cells are checked by TypeScript 6, since TypeScript 7 does not start: ${String(error)}`);
        return undefined;
      })
      .then((native) => {
        for (const text of this.backlog.splice(0))
          void native?.commit(text).catch((error) => this.giveUp(error));
        return native;
      });
    return this.native;
  }

  /** From now on the thread checks: it knows the session too. */
  private giveUp(error: unknown): void {
    this.log(`TypeScript 7 failed, cells are checked by TypeScript 6 from now on: ${String(error)}`);
    void this.native?.then((native) => native?.close().catch(() => {}));
    this.native = Promise.resolve(undefined);
  }
}

function answered<T>(call: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`no answer within ${GIVE_UP_AFTER_MS / 1000} s`)),
      GIVE_UP_AFTER_MS,
    );
  });
  return Promise.race([call, late]).finally(() => clearTimeout(timer));
}
