/** `mlsys ros`: ROS 2 for nodes of TypeScript and of rclpy. */
import { type Command, InvalidArgumentError } from "commander";
import { CommandError, ExitCode } from "../errors.js";

const HOME = "folder of the installation (default: MLSYS_ROS_HOME, else in the user's cache)";

const INTERRUPTED = 130;

function count(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError("A whole number from 1.");
  return value;
}

export function addRos(program: Command, signal: AbortSignal): void {
  const ros = program.commands.find((command) => command.name() === "ros") ?? program.command("ros");
  ros.description("ROS 2: install it, look at it, build interface packages for it");
  ros
    .command("install")
    .description("a private ROS 2 from PyPI with rclnodejs, or rclnodejs for the ROS 2 that is sourced")
    .option("--home <folder>", HOME)
    .option("--check", "say whether it is there and works; install nothing", false)
    .option("--force", "install anew what is there", false)
    .option("--jobs <count>", "compilers at once (default: 2)", count)
    .action(async (options: { home?: string; check: boolean; force: boolean; jobs?: number }) => {
      const { rosHome, rosInstallationAt } = await import("../../robotics/ros/rcl/place.js");
      const home = options.home ?? rosHome();
      if (options.check) {
        const { checkRos } = await import("./check.js");
        if (!rosInstallationAt(home))
          throw new CommandError(`ROS 2 is not installed in ${home}; get it with: npx mlsys ros install`);
        const { distro, middleware, packages } = await checkRos(home, signal);
        process.stdout.write(`ROS 2 ${distro} in ${home} works: ${middleware}, ${packages} packages.\n`);
        return;
      }
      const { installRos } = await import("./install.js");
      const { distro, source, python } = await installRos({ ...options, home }, signal).catch((error) => {
        if (!signal.aborted) throw error;
        process.stderr.write("Interrupted: what is done stays, the same command goes on from there.\n");
        throw new ExitCode(INTERRUPTED);
      });
      process.stdout.write(
        `ROS 2 ${distro} (${source === "pypi" ? "from PyPI" : "yours"}) is there, in ${home}.\nNodes: ros.createNode(name, { host: "rclnodejs" }), or MLSYS_ROS=rclnodejs; rclpy: ${python}\n`,
      );
    });
  ros
    .command("doctor")
    .description("what is there, what is missing, what to do")
    .option("--home <folder>", HOME)
    .option("--json", "as JSON", false)
    .action(async ({ home, json }: { home?: string; json: boolean }) => {
      const { examine, findingsAsText } = await import("./doctor.js");
      const findings = await examine(home, signal);
      process.stdout.write(`${json ? JSON.stringify(findings, null, 2) : findingsAsText(findings)}\n`);
      if (findings.some(({ state }) => state === "missing")) throw new ExitCode(1);
    });
  ros
    .command("build-interfaces")
    .description("build packages of msg/*.msg, srv/*.srv, action/*.action for rclnodejs and rclpy")
    .argument("<folders...>", "the packages' folders")
    .option("--home <folder>", HOME)
    .action(async (folders: string[], options: { home?: string }) => {
      const { buildMoreInterfaces } = await import("./install.js");
      for (const { name, built } of await buildMoreInterfaces(folders, options, signal))
        process.stdout.write(`${name}: ${built ? "built" : "as before"}\n`);
    });
}
