/** A script with nodes runs in this process: joined to its launcher's graph, and ended as a node should end. */
import { runScript } from "../run/member.js";

/** Runs it; a signal takes its nodes out of the graph before the process ends. Its errors are the process's own. */
export async function runNodes(script: string, args: readonly string[]): Promise<void> {
  await runScript(script, args);
}
