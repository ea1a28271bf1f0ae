/** A running kernel, however it is reached: in a box over a pipe, or beside the grader over zeromq. */

/** What a cell did. Everything in it comes from the kernel and is data to be judged, never a verdict. */
export interface Execution {
  status: "ok" | "error" | "aborted";
  error?: { name: string; message: string; traceback: string[] };
  /** MIME bundles in order of arrival. */
  displays: Record<string, unknown>[];
  /** stdout and stderr, cut off at a limit. */
  text: string;
  /** The system ended a process for want of memory meanwhile. */
  outOfMemory?: boolean;
}

/** What one cell may use. */
export interface Budget {
  /** Of the wall clock. */
  wallMs: number;
  /** Of the processors, all processes together; where the session can't measure it, nothing holds. */
  cpuMs: number;
  /** Of output that is not for the judge. */
  outputBytes: number;
  outputMessages: number;
}

export interface KernelSession {
  /** @throws GraderError when the kernel does not start */
  start(): Promise<void>;
  /**
   * Runs a cell and resolves when the kernel is idle again.
   * @throws ExecutionTimeout when a time is used up: the cell still runs; interrupt or restart.
   * @throws KernelDied when the kernel's process ends, or had to be ended
   */
  execute(code: string, budget: Budget): Promise<Execution>;
  /** Asks the kernel to stop the running cell; `false` if it is still busy after `timeoutMs`. */
  interrupt(timeoutMs: number): Promise<boolean>;
  /** Ends the process and starts a new one. */
  restart(): Promise<void>;
  /** Ends the process, whatever state it is in. Safe to call twice. */
  shutdown(): Promise<void>;
  /** Processor time since `start`, over restarts; `undefined` where it is not known. */
  cpuMs(): number | undefined;
}

export type SessionFactory = () => KernelSession;

export class ExecutionTimeout extends Error {
  override readonly name = "ExecutionTimeout";
}

export class KernelDied extends Error {
  override readonly name = "KernelDied";
  constructor(
    message: string,
    /** `limit`: it used more than it may; `protocol`: what it sent is not what an honest one sends. */
    readonly reason: "exit" | "oom" | "limit" | "protocol" = "exit",
  ) {
    super(message);
  }
}
