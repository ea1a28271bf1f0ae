/** A kernel in a box, over a pipe: measured and bounded from outside, whatever happens inside. */
import { GraderError } from "../errors.js";
import { type Isolation, SYSTEM_PATH } from "../sandbox/ladder.js";
import type { BoxLimits } from "../sandbox/limits.js";
import { BoxProcess } from "../sandbox/process.js";
import { softwareGpuEnvironment } from "../sandbox/software-gpu.js";
import type { View } from "../sandbox/view.js";
import { FRAMES_MIME } from "../wire/carrier.js";
import { MAX_FRAME_CHARS } from "../wire/frames.js";
import { type BoxDone, type BoxRequest, KIND } from "../wire/pipe.js";
import { onTheWayOut } from "./running.js";
import { type Budget, type Execution, ExecutionTimeout, KernelDied, type KernelSession } from "./session.js";
import { TEXT_LIMIT, type Tongue } from "./tongue.js";

const START_MS = 60_000;
const WATCH_MS = 50;
/** V8's last words. */
const OUT_OF_HEAP = /heap out of memory/;
/** Frames of one exchange. */
const MAX_FRAME_PIECES = 1_000;

const ENVIRONMENT = {
  PATH: SYSTEM_PATH,
  HOME: "/tmp",
  TMPDIR: "/tmp",
  TZ: "UTC",
  LANG: "C.UTF-8",
  NODE_NO_WARNINGS: "1",
  MLSYS_HISTORY: "/tmp/history",
};

export interface BoxOptions {
  isolation: Isolation;
  view: View;
  limits: BoxLimits;
  /** The program, and its language. */
  tongue: () => Tongue;
  /** More variables for the kernel. */
  env?: Readonly<Record<string, string>>;
}

/** A box whose kernel answers. */
export class BoxedKernel {
  private listener: Listener | undefined;
  private failure: KernelDied | undefined;
  private onFailure: (error: KernelDied) => void = () => {};
  private onReady: () => void = () => {};

  private constructor(
    readonly process: BoxProcess,
    private readonly tongue: Tongue,
  ) {
    process.stdout.on("data", (chunk: Buffer) => this.receive(chunk));
    void process.exited.then(() =>
      this.fail(new KernelDied("the kernel's process ended", this.causeOfDeath())),
    );
  }

  /** @throws GraderError with what the box said when its kernel does not answer */
  static async start({ isolation, view, limits, tongue, env }: BoxOptions): Promise<BoxedKernel> {
    onTheWayOut.check();
    const spoken = tongue();
    const command = {
      argv: [...spoken.argv],
      env: { ...ENVIRONMENT, ...softwareGpuEnvironment(), ...env },
      view,
      limits,
    };
    const box = BoxProcess.start(isolation.spec, command);
    const kernel = new BoxedKernel(box, spoken);
    onTheWayOut.add(kernel);
    let timer: NodeJS.Timeout | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        timer = setTimeout(() => reject(new Error(`no answer within ${START_MS / 1000} s`)), START_MS);
        kernel.onReady = resolve;
        kernel.onFailure = reject;
        if (kernel.failure) reject(kernel.failure);
      });
    } catch (error) {
      await kernel.shutdown();
      const said = box.errorText === "" ? (error as Error).message : box.errorText;
      throw new GraderError(`the kernel did not start in its box (${isolation.level}): ${said}`);
    } finally {
      clearTimeout(timer);
    }
    return kernel;
  }

  get dead(): boolean {
    return this.failure !== undefined;
  }

  /** @throws KernelDied */
  listen(listener: Listener, onFailure: (error: KernelDied) => void): void {
    if (this.failure) throw this.failure;
    this.listener = listener;
    this.onFailure = onFailure;
  }

  send(request: BoxRequest): void {
    if (!this.failure) this.process.stdin.write(this.tongue.say(request));
  }

  killNow(): void {
    this.process.killNow();
  }

  async shutdown(): Promise<void> {
    this.fail(new KernelDied("the kernel was ended"));
    await this.process.kill();
    onTheWayOut.delete(this);
  }

  /** Nothing more is read from a box that failed, and it is ended. */
  fail(error: KernelDied): void {
    if (this.failure) return;
    this.failure = error;
    this.process.stdout.removeAllListeners("data");
    this.process.stdout.resume();
    this.process.killNow();
    this.onFailure(error);
  }

  private causeOfDeath(): "oom" | "exit" {
    return this.process.usage().oomKills > 0 || OUT_OF_HEAP.test(this.process.errorText) ? "oom" : "exit";
  }

  private receive(chunk: Buffer): void {
    try {
      for (const { kind, body } of this.tongue.hear(chunk)) {
        if (this.failure) return;
        if (kind === KIND.ready) this.onReady();
        else this.listener?.(kind, body);
      }
    } catch (error) {
      this.fail(new KernelDied(`the box sent ${(error as Error).message}`, "protocol"));
    }
  }
}

type Listener = (kind: number, body: Buffer) => void;

/** Gives a kernel that is ready; a pool may have it in store. */
export type TakeKernel = () => Promise<BoxedKernel>;

export class SandboxedSession implements KernelSession {
  private kernel: BoxedKernel | undefined;
  private runs = 0;
  private before: Promise<unknown> = Promise.resolve();
  private cpuBefore = 0;

  constructor(
    private readonly take: TakeKernel,
    private readonly limits: BoxLimits,
  ) {}

  async start(): Promise<void> {
    this.kernel = await this.take();
    // What a warm kernel used before it was taken is not the learner's.
    this.cpuBefore -= this.kernel.process.usage().cpuMs ?? 0;
  }

  cpuMs(): number | undefined {
    const now = this.kernel ? this.kernel.process.usage().cpuMs : 0;
    return now === undefined ? undefined : this.cpuBefore + now;
  }

  /** One cell after the other: a second one waits for the first. */
  execute(code: string, budget: Budget): Promise<Execution> {
    const execution = this.before.then(() => this.run(code, budget));
    this.before = execution.catch(() => {});
    return execution;
  }

  private async run(code: string, budget: Budget): Promise<Execution> {
    const { kernel } = this;
    if (!kernel) throw new KernelDied("the kernel is not running");
    const id = ++this.runs;
    const before = kernel.process.usage();
    const execution: Execution = { status: "ok", displays: [], text: "" };
    let stop: () => void = () => {};
    try {
      await new Promise<void>((resolve, reject) => {
        stop = this.watch(kernel, budget, before.cpuMs, reject);
        kernel.listen((kind, body) => take(kind, body, id, execution, resolve, reject), reject);
        const { outputBytes, outputMessages } = budget;
        kernel.send({ type: "run", id, code, outputBytes, outputMessages });
      });
    } catch (error) {
      if (error instanceof KernelDied) kernel.fail(error);
      throw error;
    } finally {
      stop();
    }
    if (execution.status === "error") {
      execution.outOfMemory =
        kernel.process.usage().oomKills > before.oomKills || OUT_OF_HEAP.test(execution.text);
    }
    return execution;
  }

  async interrupt(timeoutMs: number): Promise<boolean> {
    if (!this.kernel) return false;
    this.kernel.send({ type: "interrupt" });
    await new Promise((resolve) => setTimeout(resolve, Math.min(timeoutMs, 10)));
    return true;
  }

  async restart(): Promise<void> {
    await this.shutdown();
    await this.start();
  }

  async shutdown(): Promise<void> {
    const { kernel } = this;
    if (!kernel) return;
    this.cpuBefore = this.cpuMs() ?? this.cpuBefore;
    this.kernel = undefined;
    await kernel.shutdown();
  }

  /** Watches the clock, the processors and, where no control group does, the memory. */
  private watch(
    kernel: BoxedKernel,
    budget: Budget,
    cpuBefore: number | undefined,
    reject: (error: Error) => void,
  ): () => void {
    const printedBefore = kernel.process.errorBytes;
    const clock = setTimeout(
      () => reject(new ExecutionTimeout(`ran longer than ${budget.wallMs / 1000} s`)),
      budget.wallMs,
    );
    const meter = setInterval(() => {
      const { cpuMs, memoryBytes } = kernel.process.usage();
      if (cpuMs !== undefined && cpuBefore !== undefined && cpuMs - cpuBefore > budget.cpuMs)
        reject(new ExecutionTimeout(`used more than ${budget.cpuMs / 1000} s of processor time`));
      if (kernel.process.errorBytes - printedBefore > budget.outputBytes)
        reject(new KernelDied(`wrote more than ${budget.outputBytes} bytes`, "limit"));
      if (memoryBytes !== undefined && memoryBytes > this.limits.memoryBytes)
        reject(new KernelDied(`used more than ${megabytes(this.limits.memoryBytes)} of memory`, "oom"));
    }, WATCH_MS);
    return () => {
      clearTimeout(clock);
      clearInterval(meter);
    };
  }
}

/** Keeps of a message what the judge may want, and no more of it than the limits. */
function take(
  kind: number,
  body: Buffer,
  id: number,
  execution: Execution,
  resolve: () => void,
  reject: (error: Error) => void,
): void {
  if (kind === KIND.text) execution.text = (execution.text + body.toString("utf8")).slice(0, TEXT_LIMIT);
  else if (kind === KIND.frames) {
    execution.displays.push({ [FRAMES_MIME]: body.toString("utf8") });
    const size = execution.displays.reduce((sum, bundle) => sum + (bundle[FRAMES_MIME] as string).length, 0);
    if (execution.displays.length > MAX_FRAME_PIECES || size > MAX_FRAME_CHARS)
      reject(new KernelDied("the answers are larger than the limit", "limit"));
  } else if (kind === KIND.done) {
    const done = doneOf(body);
    if (!done) {
      reject(new KernelDied("the box sent a malformed message", "protocol"));
      return;
    }
    if (done.id !== id) return; // of a cell that was given up
    if (done.status === "limit") {
      reject(new KernelDied(done.message, "limit"));
      return;
    }
    execution.status = done.status === "ok" || done.status === "aborted" ? done.status : "error";
    if (execution.status === "error")
      execution.error = { name: done.name, message: done.message, traceback: done.traceback };
    resolve();
  }
}

function doneOf(body: Buffer): BoxDone | undefined {
  try {
    const data = JSON.parse(body.toString("utf8")) as Partial<Record<keyof BoxDone, unknown>>;
    const lines = Array.isArray(data.traceback) ? data.traceback.slice(0, 40).map(text) : [];
    return {
      id: Number(data.id),
      status: text(data.status),
      name: text(data.name),
      message: text(data.message),
      traceback: lines,
    };
  } catch {
    return undefined;
  }
}

function text(value: unknown): string {
  return typeof value === "string" ? value.slice(0, 2_000) : "";
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1024 / 1024)} MiB`;
}
