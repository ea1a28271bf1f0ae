/** `mlsys ros run`: a script with nodes, with names, remaps and parameters from the command line. */
import { existsSync } from "node:fs";
import { inspect } from "node:util";
import type { Command } from "commander";
import { CommandError, ExitCode } from "../errors.js";

/** Adds `mlsys ros run`, to the commands of `mlsys ros` where there are others. */
export function addRosRun(program: Command): void {
  const ros = program.commands.find((command) => command.name() === "ros") ?? program.command("ros");
  ros
    .enablePositionalOptions()
    .command("run")
    .description("run a script with ROS nodes, JavaScript or TypeScript")
    .argument("<script>", "the script")
    .argument(
      "[args...]",
      "its arguments; after --ros-args: -r from:=to, -r __node:=name, -r __ns:=/namespace, -p name:=value, --params-file FILE",
    )
    .passThroughOptions() // what follows the script is the script's
    .action((script: string, args: string[]) => rosRun(script, args));
}

/** @throws CommandError; ExitCode of the script */
export async function rosRun(script: string, args: readonly string[]): Promise<void> {
  if (!existsSync(script)) throw new CommandError(`${script} is not there`);
  const { runNodes } = await import("./nodes.js"); // only this needs the library
  const { untilIdle } = await import("../run/run.js");
  // Signals are for the script now, as if node had been started with it.
  for (const name of ["SIGINT", "SIGTERM"]) process.removeAllListeners(name);
  const idle = untilIdle();
  try {
    await runNodes(script, args);
  } catch (error) {
    process.stderr.write(`${inspect(error, { colors: process.stderr.isTTY })}\n`);
    throw new ExitCode(1);
  }
  await idle; // what the script has left running
  throw new ExitCode(Number(process.exitCode ?? 0));
}
