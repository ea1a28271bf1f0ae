/** Running a launch description from a program or a notebook; `mlsys launch` does it from the command line. */
import { fileURLToPath } from "node:url";
import type { LaunchDescription } from "./description.js";
import { joinLaunch } from "./join.js";
import {
  type LaunchEvent,
  type LaunchOptions,
  type LaunchReport,
  LaunchService,
  type ScriptRunner,
} from "./service.js";

const MAIN = fileURLToPath(new URL("../../../cli/ros/node-main.js", import.meta.url));

/** Node runs each script, TypeScript too: with a pipe by whose end the launcher's is noticed, and the graph's link. */
export const scriptRunner: ScriptRunner = {
  command: (script, args) => [process.execPath, MAIN, script, ...args],
  env: { MLSYS_RUN_LIFELINE: "3" },
  extra: ["pipe", "ipc"],
};

export type RunLaunchOptions = Pick<LaunchOptions, "args" | "folder" | "onEvent" | "grace" | "signal">;

/**
 * Starts what a description says, sees to it, and resolves when all has ended. Lines of processes are printed with their
 * name in front, unless `onEvent` takes them.
 * @throws ValueError of arguments that are missing or unknown; what the description itself throws
 * @example
 * const hello = ros.launch(() => [ros.launch.timer(0.01, () => ros.launch.shutdown("enough"))]);
 * await ros.runLaunch(hello) // { "code": 0, "reason": "enough" }
 */
export async function runLaunch(
  description: LaunchDescription,
  options: RunLaunchOptions = {},
): Promise<LaunchReport> {
  const { join, bringUp, leave } = await joinLaunch();
  const service = new LaunchService(description, {
    ...{ onEvent: print, ...options },
    ...{ runner: scriptRunner, join, bringUp },
  });
  try {
    return await service.run();
  } finally {
    await leave();
  }
}

function print(event: LaunchEvent): void {
  if (event.type === "output")
    (event.stream === "stdout" ? console.log : console.error)(`[${event.name}] ${event.line}`);
  else if (event.type === "log") console.log(event.text);
  else if (event.type === "error") console.error(event.name ?? "launch", event.error);
}
