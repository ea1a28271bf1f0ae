/**
 * Grades files in a judge process of its own. When a test hangs there or takes all memory, that test has its verdict,
 * the judge is replaced, and the file's other tests go on.
 */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { TestKey } from "../judge/grade.js";
import type { FromJudge, JudgeSetup, ToJudge } from "../judge/messages.js";
import type { Report } from "../judge/report.js";
import type { TestOutcome } from "../kit/check.js";
import { sweep } from "../sandbox/process.js";
import { failedReport } from "./grade-file.js";

/** A judge whose event loop stands still for so long is stuck. Reading the largest answer takes a few seconds. */
const STALL_MS = 30_000;
const JUDGE_HEAP_MB = 1_536;
const CLOSE_MS = 10_000;

// What is built, also when the supervisor itself runs from its sources (in tests).
const MAIN = fileURLToPath(
  new URL(import.meta.url.endsWith(".ts") ? "../../dist/judge/main.js" : "../judge/main.js", import.meta.url),
);

type Work = Pick<Extract<ToJudge, { type: "grade" }>, "file" | "slug" | "tasks" | "student">;
type End = { report: Report } | { stuck: boolean; during: TestKey | undefined };

export class Supervisor {
  /** Told when a test begins and, with its outcome, when it has ended. */
  onTest: (key: TestKey, outcome?: TestOutcome) => void = () => {};
  private judge: ChildProcess | undefined;
  private closed = false;

  constructor(
    private readonly setup: JudgeSetup,
    private readonly stallMs = STALL_MS,
  ) {}

  /** @param tasks grade these only @param student who handed it in, where that is known for sure */
  async grade(file: string, slug?: string, tasks?: readonly string[], student?: string): Promise<Report> {
    const finished = new Map<TestKey, TestOutcome>();
    for (let deaths = 0; ; deaths++) {
      const end = await this.attempt({ file, slug, tasks, student }, finished);
      if ("report" in end) return end.report;
      await this.discard();
      if (end.during === undefined || deaths > this.setup.limits.restarts || this.closed)
        return failedReport(file, "the judge's process ended");
      finished.set(end.during, verdict(end.during, end.stuck));
    }
  }

  /** Ends the judge and its boxes. */
  async close(): Promise<void> {
    this.closed = true;
    const { judge } = this;
    this.judge = undefined;
    if (!judge || judge.exitCode !== null || judge.signalCode !== null) return;
    const ended = new Promise((resolve) => judge.once("exit", resolve));
    if (judge.connected) judge.disconnect();
    const timer = setTimeout(() => judge.kill("SIGKILL"), CLOSE_MS);
    await ended;
    clearTimeout(timer);
  }

  /** One attempt at a file, until its report or the judge's end. */
  private attempt(what: Work, finished: Map<TestKey, TestOutcome>): Promise<End> {
    const judge = this.start();
    return new Promise((resolve) => {
      let during: TestKey | undefined;
      let stuck = false;
      let timer: NodeJS.Timeout | undefined;
      const listen = () => {
        clearTimeout(timer);
        timer = setTimeout(() => {
          stuck = true;
          judge.kill("SIGKILL");
        }, this.stallMs);
      };
      const finish = (end: End) => {
        clearTimeout(timer);
        judge.off("message", receive).off("exit", ended);
        resolve(end);
      };
      const ended = () => finish({ stuck, during });
      const receive = (message: FromJudge) => {
        listen();
        if (message.type === "report") finish({ report: message.report });
        else if (message.type === "test") {
          during = message.outcome === undefined ? message.key : undefined;
          if (message.outcome) finished.set(message.key, message.outcome);
          this.onTest(message.key, message.outcome);
        }
      };
      judge.on("message", receive).once("exit", ended);
      listen();
      send(judge, { type: "grade", ...what, finished: [...finished] });
    });
  }

  private start(): ChildProcess {
    if (this.judge) return this.judge;
    const judge = fork(MAIN, [], {
      execArgv: [`--max-old-space-size=${JUDGE_HEAP_MB}`],
      stdio: ["ignore", "ignore", "ignore", "ipc"],
    });
    judge.on("error", () => {});
    this.judge = judge;
    send(judge, { type: "setup", setup: this.setup });
    return judge;
  }

  /** The judge is gone without having cleaned up. */
  private async discard(): Promise<void> {
    this.judge?.kill("SIGKILL");
    this.judge = undefined;
    await sweep();
  }
}

function send(judge: ChildProcess, message: ToJudge): void {
  if (judge.connected) judge.send(message, () => {});
}

/** Points and visibility come from the manifest, as for every outcome. */
function verdict(key: TestKey, stuck: boolean): TestOutcome {
  const name = key.slice(key.indexOf("|") + 1);
  const [status, message] = stuck
    ? (["timeout", "the test did not come to an end on your answer"] as const)
    : (["limit", "your answer takes more memory than the test has"] as const);
  return { name, points: 0, score: 0, hidden: true, status, message };
}
