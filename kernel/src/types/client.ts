/** The host's side of the type checker: it runs on a thread of its own, so the host never waits for it. */
import { Worker } from "node:worker_threads";
import type {
  CellLanguage,
  CheckResult,
  Completeness,
  Completions,
  Inspection,
  Settings,
  TypeService,
} from "./service.js";

export type { TypeService } from "./service.js";

export type Call =
  | { method: "check" | "commit"; args: [cell: string, text: string, language?: CellLanguage] }
  | { method: "complete" | "inspect"; args: [text: string, offset: number] }
  | { method: "isComplete"; args: [text: string] }
  | { method: "reset" | "warm" | "settings" | "packagesChanged"; args: [] };

export type ToThread = Call & { id: number };
export type FromThread = { id: number; result?: unknown; error?: string };

/** Starts the thread at the first call, or at `warm`. */
export class TypeThread implements TypeService {
  private thread: Worker | undefined;
  private next = 1;
  /** Cells that ran before the thread was needed: it hears of them when it starts. */
  private backlog: [text: string, language?: CellLanguage][] = [];
  private readonly waiting = new Map<number, { resolve(value: never): void; reject(error: Error): void }>();

  constructor(
    private readonly directory: string,
    private readonly log: (line: string) => void,
  ) {}

  /** Loads TypeScript and its libraries ahead of the first check. */
  warm(): void {
    void this.call({ method: "warm", args: [] }).catch((error) => this.log(String(error)));
  }

  settings(): Promise<Settings> {
    return this.call({ method: "settings", args: [] });
  }

  check(cell: string, text: string, language?: CellLanguage): Promise<CheckResult> {
    return this.call({ method: "check", args: [cell, text, language] });
  }

  commit(cell: string, text: string, language?: CellLanguage): void {
    if (this.thread)
      void this.call({ method: "commit", args: [cell, text, language] }).catch((error) =>
        this.log(String(error)),
      );
    else this.backlog.push([text, language]);
  }

  complete(text: string, offset: number): Promise<Completions> {
    return this.call({ method: "complete", args: [text, offset] });
  }

  inspect(text: string, offset: number): Promise<Inspection | undefined> {
    return this.call({ method: "inspect", args: [text, offset] });
  }

  isComplete(text: string): Promise<Completeness> {
    return this.call({ method: "isComplete", args: [text] });
  }

  reset(): void {
    this.backlog = [];
    if (this.thread) void this.call({ method: "reset", args: [] }).catch((error) => this.log(String(error)));
  }

  packagesChanged(): void {
    if (this.thread)
      void this.call({ method: "packagesChanged", args: [] }).catch((error) => this.log(String(error)));
  }

  async close(): Promise<void> {
    await this.thread?.terminate();
  }

  private call<T>(call: Call): Promise<T> {
    const id = this.next++;
    return new Promise<T>((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.start().postMessage({ ...call, id } satisfies ToThread);
    });
  }

  private start(): Worker {
    if (this.thread) return this.thread;
    const thread = new Worker(new URL("./thread.js", import.meta.url), {
      workerData: { directory: this.directory },
    });
    thread.on("message", ({ id, result, error }: FromThread) => {
      const waiter = this.waiting.get(id);
      this.waiting.delete(id);
      if (error !== undefined) waiter?.reject(new Error(error));
      else waiter?.resolve(result as never);
    });
    thread.on("error", (error: unknown) => this.log(`the type checker failed: ${String(error)}`));
    thread.on("exit", () => {
      this.thread = undefined;
      for (const { reject } of this.waiting.values()) reject(new Error("The type checker stopped."));
      this.waiting.clear();
    });
    thread.unref();
    this.thread = thread;
    for (const [text, language] of this.backlog.splice(0)) this.commit("", text, language);
    return thread;
  }
}
