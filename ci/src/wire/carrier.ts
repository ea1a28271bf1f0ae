/**
 * How frames travel through a Jupyter kernel. The judge runs `exchange(frames, wait)` as a cell; the agent in the
 * kernel takes the frames, waits until it has something to say, and publishes its own frames as display data of a
 * private MIME type. Nothing is ever read from streams, results or the status of a reply.
 */

/** Display data of the agent's: a text, the JSON of a list of frames. */
export const FRAMES_MIME = "application/vnd.mlsys.frames";
/** Where the agent sits on the kernel's global object. */
export const AGENT_KEY = "mlsys.agent";

/** The agent where a kernel is on a machine that has other paths: as an import of the notebook's folder. */
const AGENT_PACKAGE = "@mlsys/grader/agent";

/** Code of the cell that loads the agent. */
export function loadAgentCode(agentUrl: string, firstHandle: number): string {
  const load = `import(${JSON.stringify(agentUrl)}).catch(() => import("${AGENT_PACKAGE}"))`;
  return `// @ts-nocheck\nawait (await ${load}).install(${firstHandle});`;
}

/** Code of the cell that carries frames. @param waitMs how long the agent may wait for something to say; 0: for ever */
export function exchangeCode(frames: string, waitMs: number): string {
  return `// @ts-nocheck\nawait globalThis[Symbol.for("${AGENT_KEY}")].exchange(${JSON.stringify(frames)}, ${waitMs});`;
}
