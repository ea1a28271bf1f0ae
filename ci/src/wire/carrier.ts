/**
 * How frames travel through a Jupyter kernel. The judge runs `exchange(frames, wait)` as a cell; the agent in the
 * kernel takes the frames, waits until it has something to say, and publishes its own frames as display data of a
 * private MIME type. Nothing is ever read from streams, results or the status of a reply.
 */

/** Display data of the agent's: a text, the JSON of a list of frames. */
export const FRAMES_MIME = "application/vnd.mlsys.frames";
/** Where the agent sits on the kernel's global object. */
export const AGENT_KEY = "mlsys.agent";

/**
 * Code of the cell that loads the agent. By its name in the package: for a path the kernel would load its hooks for the
 * reader's own files, and look for changes in every file of the library.
 */
export function loadAgentCode(firstHandle: number): string {
  return `// @ts-nocheck\nawait (await import("@mlsys/grader/agent")).install(${firstHandle});`;
}

/** Code of the cell that carries frames. @param waitMs how long the agent may wait for something to say; 0: for ever */
export function exchangeCode(frames: string, waitMs: number): string {
  return `// @ts-nocheck\nawait globalThis[Symbol.for("${AGENT_KEY}")].exchange(${JSON.stringify(frames)}, ${waitMs});`;
}
