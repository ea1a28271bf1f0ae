/** What a kernel offers to widgets: comms, and the capture of output. Absent outside of notebooks. */

/** One end of a comm. */
export interface Comm {
  readonly id: string;
  send(data: unknown, metadata?: object, buffers?: readonly Uint8Array[]): void;
  onMessage(listener: (data: unknown, buffers: Uint8Array[]) => void): void;
  onClose(listener: () => void): void;
  close(): void;
}

export interface CommManager {
  registerTarget(target: string, opened: (comm: Comm) => void): void;
  open(
    target: string,
    data: unknown,
    options: { id?: string; metadata?: object; buffers?: readonly Uint8Array[] },
  ): Comm;
}

/** An output as a notebook keeps it, and the two messages that change outputs. */
export type CapturedOutput =
  | { output_type: "stream"; name: string; text: string }
  | { output_type: "display_data" | "update_display_data"; data: object; metadata: object; transient: object }
  | { output_type: "error"; ename: string; evalue: string; traceback: string[] }
  | { output_type: "clear_output"; wait: boolean };

type Capture = (sink: (output: CapturedOutput) => void, body: () => unknown) => unknown;

function found<T>(name: string): T | undefined {
  return (globalThis as Record<symbol, unknown>)[Symbol.for(name)] as T | undefined;
}

export function commManager(): CommManager | undefined {
  return found<CommManager>("Jupyter.comms");
}

/** Calls `body` with its output going to `sink`, also what comes later and what it throws. */
export function capturer(): Capture | undefined {
  return found<Capture>("Jupyter.capture");
}
