/**
 * One type checker for all submissions that a judge grades, one after the other: reading the types of the libraries takes
 * longer than everything else that a submission needs. It runs no code of anybody's, and is in a box of its own all the
 * same. When it fails in any way (a type that never ends, no memory), the submission's own kernel checks instead.
 */
import { fileURLToPath } from "node:url";
import { type Isolation, SYSTEM_PATH } from "../sandbox/ladder.js";
import type { BoxLimits } from "../sandbox/limits.js";
import { BoxProcess } from "../sandbox/process.js";
import type { View } from "../sandbox/view.js";
import { onTheWayOut } from "../session/running.js";
import { type CheckReply, type CheckRequest, KIND, PipeReader, pack } from "../wire/pipe.js";

// What is built, also when the judge itself runs from its sources (in tests).
const MAIN = fileURLToPath(
  new URL(
    import.meta.url.endsWith(".ts") ? "../../dist/box/checker.js" : "../box/checker.js",
    import.meta.url,
  ),
);
const START_MS = 120_000;
const CHECK_MS = 30_000;
/** Of the processors; honest cells take a tenth of a second. */
const CHECK_CPU_MS = 8_000;
const WATCH_MS = 100;
const PIECES = { [KIND.ready]: 0, [KIND.done]: 64 * 1024 };
const ENVIRONMENT = {
  PATH: SYSTEM_PATH,
  HOME: "/tmp",
  TMPDIR: "/tmp",
  TZ: "UTC",
  LANG: "C.UTF-8",
  NODE_NO_WARNINGS: "1",
};

/** A cell is as the kernel wants it, is refused, or nothing is known. */
export type Verdict = { error?: { name: string; message: string } } | "unknown";

/** A submission's use of the checker. */
export interface Turn {
  /** All cells of the session at once. @returns whether none is refused; if not, take them one by one */
  takeAll(codes: readonly string[]): Promise<boolean>;
  /** The session's next cell. After `unknown` the turn is over. */
  take(code: string): Promise<Verdict>;
  /** Lets the next one begin. */
  end(): void;
}

type Question = { type: "check"; code: string } | { type: "check-all"; codes: string[] };

export interface CheckerOptions {
  isolation: Isolation;
  view: View;
  limits: BoxLimits;
}

export class SharedChecker {
  private process: Promise<CheckerProcess> | undefined;
  private last: Promise<void> = Promise.resolve();

  constructor(private readonly options: CheckerOptions) {}

  /** Waits until nobody else uses it; the session begins empty. */
  async begin(): Promise<Turn> {
    const before = this.last;
    let end: () => void = () => {};
    this.last = new Promise((resolve) => {
      end = resolve;
    });
    await before;
    this.process ??= CheckerProcess.start(this.options);
    const running = await this.process.catch(() => undefined);
    if (!running) this.process = undefined;
    running?.send({ type: "reset" });
    const ask = async (question: Question): Promise<CheckReply | undefined> => {
      const reply = await running?.ask(question).catch(() => undefined);
      if (reply) return reply;
      // Whatever it was, the next submission gets a new one.
      this.process = undefined;
      await running?.shutdown();
      return undefined;
    };
    return {
      end,
      takeAll: async (codes) => (await ask({ type: "check-all", codes: [...codes] }))?.all === true,
      take: async (code) => {
        const reply = await ask({ type: "check", code });
        if (!reply) return "unknown";
        if (reply.unknown) return "unknown";
        return reply.name === undefined ? {} : { error: { name: reply.name, message: reply.message ?? "" } };
      },
    };
  }
}

class CheckerProcess {
  private readonly reader = new PipeReader(PIECES);
  private receive: (reply: CheckReply) => void = () => {};
  private fail: (error: Error) => void = () => {};
  private next = 1;

  private constructor(
    private readonly box: BoxProcess,
    private readonly limits: BoxLimits,
  ) {
    onTheWayOut.add(this);
  }

  static async start({ isolation, view, limits }: CheckerOptions): Promise<CheckerProcess> {
    onTheWayOut.check();
    const argv = [process.execPath, MAIN];
    const checker = new CheckerProcess(
      BoxProcess.start(isolation.spec, { argv, env: ENVIRONMENT, view, limits }),
      limits,
    );
    try {
      await checker.until(START_MS, START_MS, (resolve) => {
        checker.receive = () => resolve();
      });
    } catch (error) {
      await checker.shutdown();
      throw error;
    }
    return checker;
  }

  send(request: CheckRequest): void {
    this.box.stdin.write(pack(KIND.command, JSON.stringify(request)));
  }

  async ask(question: Question): Promise<CheckReply> {
    const id = this.next++;
    let found: CheckReply | undefined;
    await this.until(CHECK_MS, CHECK_CPU_MS, (resolve) => {
      this.receive = (reply) => {
        if (reply.id !== id) return;
        found = reply;
        resolve();
      };
      this.send({ ...question, id });
    });
    return found as unknown as CheckReply;
  }

  killNow(): void {
    this.box.killNow();
  }

  async shutdown(): Promise<void> {
    this.fail(new Error("the type checker was ended"));
    await this.box.kill();
    onTheWayOut.delete(this);
  }

  /** Rejects when a time is used up or the process ends. */
  private async until(wallMs: number, cpuMs: number, work: (resolve: () => void) => void): Promise<void> {
    const before = this.box.usage().cpuMs ?? 0;
    let clock: NodeJS.Timeout | undefined;
    let meter: NodeJS.Timeout | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        this.fail = reject;
        clock = setTimeout(() => reject(new Error("the type checker took too long")), wallMs);
        meter = setInterval(() => {
          const { cpuMs: now = 0, memoryBytes = 0 } = this.box.usage();
          if (now - before > cpuMs) reject(new Error("the type checker took too long"));
          if (memoryBytes > this.limits.memoryBytes)
            reject(new Error("the type checker took too much memory"));
        }, WATCH_MS);
        this.listen();
        work(resolve);
      });
    } finally {
      clearTimeout(clock);
      clearInterval(meter);
    }
  }

  private listening = false;
  private listen(): void {
    if (this.listening) return;
    this.listening = true;
    void this.box.exited.then(() => this.fail(new Error("the type checker ended")));
    this.box.stdout.on("data", (chunk: Buffer) => {
      try {
        for (const { kind, body } of this.reader.push(chunk))
          this.receive(kind === KIND.ready ? { id: 0 } : (JSON.parse(body.toString("utf8")) as CheckReply));
      } catch (error) {
        this.fail(error as Error);
      }
    });
  }
}
