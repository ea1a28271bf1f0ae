/** `mlsys ros run`: a script with nodes, or a program of the book's case study, with names, remaps and parameters. */
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
    .description(
      "run a script with ROS nodes, JavaScript or TypeScript; or a program of the book's: PACKAGE PROGRAM",
    )
    .argument("<script>", "the script, or the package")
    .argument(
      "[args...]",
      "its arguments; after --ros-args: -r from:=to, -r __node:=name, -r __ns:=/namespace, -p name:=value, --params-file FILE",
    )
    .passThroughOptions() // what follows the script is the script's
    .action((script: string, args: string[]) => rosRun(script, args));
}

/** @throws CommandError; ExitCode of the script */
export async function rosRun(script: string, args: readonly string[]): Promise<void> {
  if (!existsSync(script)) return runProgram(script, args);
  const { runNodes } = await import("./nodes.js"); // only this needs the library
  const { untilIdle } = await import("../run/run.js");
  takeSignals();
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

/** Signals are for the script now, as if node had been started with it. */
function takeSignals(): void {
  for (const name of ["SIGINT", "SIGTERM"]) process.removeAllListeners(name);
}

/** @throws CommandError if the case study has no such program */
async function runProgram(name: string, [program = "", ...args]: readonly string[]): Promise<void> {
  const { PACKAGES } = await import("../../robotics/case-study/packages.js");
  if (!Object.hasOwn(PACKAGES, name))
    throw new CommandError(
      `${name} is not there; the book's packages are ${Object.keys(PACKAGES).join(", ")}`,
    );
  const programs = PACKAGES[name];
  if (!Object.hasOwn(programs, program))
    throw new CommandError(`${name} has the programs ${Object.keys(programs).join(", ")}, not "${program}"`);
  takeSignals();
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort());
  const end = args.indexOf("--ros-args");
  await programs[program](end < 0 ? args : args.slice(0, end), stop.signal).catch((error: unknown) => {
    if (!stop.signal.aborted) throw error;
  });
}
