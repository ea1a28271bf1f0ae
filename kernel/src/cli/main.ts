/** `mlsys-kernel install | uninstall | list`: for people who have a Jupyter already. */
import { Command, Option } from "commander";
import {
  type InstallOptions,
  installKernelSpec,
  listKernelSpecs,
  uninstallKernelSpec,
} from "../spec/install.js";
import { DEFAULT_DISPLAY_NAME, DEFAULT_NAME } from "../spec/spec.js";

type Flags = InstallOptions & { user?: boolean; json?: boolean };

export async function main(argv: readonly string[]): Promise<void> {
  const program = new Command("mlsys-kernel").description("Registers the TypeScript kernel with Jupyter.");
  withPlace(program.command("install").description("write the kernelspec where Jupyter finds it"))
    .option("--display-name <text>", "name shown in Jupyter's launcher", DEFAULT_DISPLAY_NAME)
    .action((flags: Flags) => print(`Installed the kernel in ${installKernelSpec(flags)}`));
  withPlace(program.command("uninstall").description("remove the kernelspec")).action((flags: Flags) => {
    const removed = uninstallKernelSpec(flags);
    if (removed === undefined) throw new Error(`There is no kernelspec named "${flags.name}" there.`);
    print(`Removed ${removed}`);
  });
  withPlace(program.command("list").description("show where the kernel is installed"))
    .option("--json", "as JSON")
    .action((flags: Flags) => list(flags));
  program.showHelpAfterError();
  try {
    await program.parseAsync(argv as string[]);
  } catch (error) {
    process.stderr.write(`mlsys-kernel: ${(error as Error).message}\n`);
    process.exitCode = 1;
  }
}

function withPlace(command: Command): Command {
  return command
    .addOption(new Option("--user", "for this user (the default)").conflicts(["sysPrefix", "prefix"]))
    .addOption(new Option("--sys-prefix", "into the environment of python3").conflicts(["prefix"]))
    .option("--prefix <dir>", "into <dir>/share/jupyter/kernels")
    .option("--name <name>", "folder name of the kernelspec", DEFAULT_NAME);
}

function list({ prefix, sysPrefix, json }: Flags): void {
  const found = listKernelSpecs({ prefix, sysPrefix });
  if (json) print(JSON.stringify(found, null, 2));
  else if (found.length === 0) print("The kernel is not installed. Install it with: mlsys-kernel install");
  else
    for (const { name, displayName, directory, usable } of found)
      print(`${name}\t${displayName}\t${directory}${usable ? "" : "\t(broken: install it again)"}`);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
