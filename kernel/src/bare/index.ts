/**
 * The worker without the kernel around it: for programs that start many processes, run cells in them that were checked
 * before, and speak no Jupyter. There are no magics, no type check, no questions and no interrupts.
 *
 * ```ts
 * const worker = spawn(...workerCommand(), with pipes at descriptors 3 to the worker, 4 from it, 5 for nothing);
 * pipe.write(encodeFrame(bareRun(1, "cell:1", "display(6 * 7)")));
 * new FrameReader<ToHost>().push(chunk); // … { type: "done", run: 1, … }
 * ```
 */
import { compilePlain } from "../compile/cell.js";
import type { RunRequest } from "../link/messages.js";

export { workerCommand } from "../host/worker-command.js";
export { encodeFrame, FrameReader } from "../link/frames.js";
export type { ToHost } from "../link/messages.js";

/** Whether a worker without a kernel can run a cell: JavaScript that declares none of Node's globals anew. */
export function isPlain(code: string): boolean {
  return compilePlain(code) !== undefined;
}

/**
 * The request to run a cell.
 * @param name of the script, in stack traces
 * @throws Error when it is not plain
 */
export function bareRun(run: number, name: string, source: string): RunRequest {
  const compiled = compilePlain(source);
  if (!compiled) throw new Error(`${name} needs a kernel: it is not plain JavaScript`);
  const { code, shifts, hasResult } = compiled;
  return {
    type: "run",
    run,
    shell: 0,
    name,
    code,
    shifts,
    inserted: [],
    hasResult,
    source,
    expressions: {},
    allowStdin: false,
    silent: false,
  };
}
