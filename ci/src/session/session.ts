/** A running kernel, however it is reached: zeromq now; a Jupyter server can be another implementation. */

/** What a cell did. Everything in it comes from the kernel and is data to be judged, never a verdict. */
export interface Execution {
  status: "ok" | "error" | "aborted";
  error?: { name: string; message: string; traceback: string[] };
  /** MIME bundles in order of arrival. */
  displays: Record<string, unknown>[];
  /** stdout and stderr, cut off at a limit. */
  text: string;
}

export interface KernelSession {
  /** @throws GraderError when the kernel does not start */
  start(): Promise<void>;
  /**
   * Runs a cell and resolves when the kernel is idle again.
   * @throws ExecutionTimeout after `timeoutMs`: the cell still runs; interrupt or restart.
   * @throws KernelDied when the kernel's process ends
   */
  execute(code: string, timeoutMs: number): Promise<Execution>;
  /** Asks the kernel to stop the running cell; `false` if it is still busy after `timeoutMs`. */
  interrupt(timeoutMs: number): Promise<boolean>;
  /** Ends the process and starts a new one. */
  restart(): Promise<void>;
  /** Ends the process, whatever state it is in. Safe to call twice. */
  shutdown(): Promise<void>;
}

export type SessionFactory = () => KernelSession;

export class ExecutionTimeout extends Error {
  override readonly name = "ExecutionTimeout";
}

export class KernelDied extends Error {
  override readonly name = "KernelDied";
}
