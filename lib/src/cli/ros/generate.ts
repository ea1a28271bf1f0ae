/** `mlsys ros generate`: interface packages of your own as TypeScript modules. */
import { type Command, Option } from "commander";
import { CommandError } from "../errors.js";

export function addRosGenerate(program: Command): void {
  const ros = program.commands.find((command) => command.name() === "ros") ?? program.command("ros");
  ros
    .command("generate")
    .description("write a typed module for each package of msg/*.msg, srv/*.srv, action/*.action")
    .argument("<folders...>", "the packages' folders, each with its package.xml")
    .option("--out <folder>", "where the modules go, each by its package's name", ".")
    .option("--check", "write nothing; fail if a module is not what its package makes", false)
    .addOption(
      new Option("--extension <name>", "how modules name each other in imports")
        .choices(["js", "ts"])
        .default("js"),
    )
    .action(async (folders: string[], options: { out: string; check: boolean; extension: "js" | "ts" }) => {
      const { mkdirSync, readFileSync, existsSync, writeFileSync } = await import("node:fs");
      const { join } = await import("node:path");
      const { readInterfacePackage } = await import("../../robotics/ros/interfaces/package.js");
      const { renderModule } = await import("../../robotics/ros/interfaces/module.js");
      const packages = folders.map(readInterfacePackage);
      const others = packages.map(({ name }) => name);
      const modules = packages.map((one) => ({
        one,
        file: join(options.out, `${one.name}.ts`),
        text: renderModule(one, { others, extension: options.extension }),
      }));
      if (options.check) {
        const old = modules.filter(
          ({ file, text }) => !existsSync(file) || readFileSync(file, "utf8") !== text,
        );
        if (old.length === 0) return;
        throw new CommandError(
          `not up to date: ${old.map(({ file }) => file).join(", ")}; run without --check`,
        );
      }
      mkdirSync(options.out, { recursive: true });
      for (const { one, file, text } of modules) {
        writeFileSync(file, text);
        process.stdout.write(`${file}: ${one.interfaces.length} of ${one.name}\n`);
      }
    });
}
