/** The command `mlsys`. */
import { Command, InvalidArgumentError, Option } from "commander";
import colors from "picocolors";
import { MlsysError } from "../core/errors.js";
import { addDataCommands } from "./data.js";
import { CommandError, ExitCode } from "./errors.js";
import { HINTS, INSTALLABLE } from "./install/hints.js";
import { installTfjs, type TfjsOptions } from "./install/tfjs.js";
import { installWebgpu } from "./install/webgpu.js";
import { addLaunch } from "./launch-options.js";
import { addParameterServer } from "./parameter-server.js";
import { addProtect } from "./protect.js";
import { addRosBag } from "./ros/bag.js";
import { addRos } from "./ros/commands.js";
import { addRosGenerate } from "./ros/generate.js";
import { addRosRun } from "./ros/run.js";
import { addRun } from "./run-options.js";
import { addServe } from "./serve-options.js";

const EXIT = { ok: 0, failed: 1, usage: 2, interrupted: 130 } as const;

/** @returns the exit code: 0 all well, 1 something failed, 2 wrong usage, 130 interrupted; of `run` that of its members */
export async function main(argv: readonly string[]): Promise<number> {
  const interrupted = new AbortController();
  const stop = () => {
    if (interrupted.signal.aborted) process.exit(EXIT.interrupted); // asked twice: at once
    interrupted.abort(new Error("interrupted"));
  };
  process.on("SIGINT", stop).on("SIGTERM", stop);
  try {
    await createProgram(interrupted.signal).parseAsync([...argv]);
    return EXIT.ok;
  } catch (error) {
    if (error instanceof ExitCode) return error.code;
    if (interrupted.signal.aborted) {
      process.stderr.write("Interrupted: nothing was changed.\n");
      return EXIT.interrupted;
    }
    const text = isPlain(error) ? error.message : ((error as Error).stack ?? String(error));
    process.stderr.write(`${colors.red("mlsys:")} ${text}\n`);
    return EXIT.failed;
  } finally {
    process.off("SIGINT", stop).off("SIGTERM", stop);
  }
}

/** Errors whose message says all that the user needs: those on purpose, and those about files. */
const isPlain = (error: unknown): error is Error =>
  error instanceof CommandError ||
  error instanceof MlsysError ||
  (error instanceof Error && "syscall" in error && "path" in error);

function createProgram(signal: AbortSignal): Command {
  const program = new Command("mlsys")
    .description("Machine-learning systems in TypeScript.")
    .showHelpAfterError()
    .enablePositionalOptions()
    .exitOverride((error) => process.exit(error.exitCode === 0 ? EXIT.ok : EXIT.usage));
  addServe(program, signal);
  const devices = program
    .command("devices")
    .description("list the devices: what is there, what is missing and how to get it")
    .option("--json", "as JSON")
    .action(async ({ json }: { json?: boolean }) => {
      const { deviceRows, devicesAsText } = await import("./devices.js"); // only this needs the library
      const rows = deviceRows();
      process.stdout.write(`${json ? JSON.stringify(rows, null, 2) : devicesAsText(rows)}\n`);
    });
  devices
    .command("install")
    .description("set a device up, or say how to")
    .argument("<device>", INSTALLABLE.join(", "), (name) => {
      if (!INSTALLABLE.includes(name)) throw new InvalidArgumentError(`Known: ${INSTALLABLE.join(", ")}.`);
      return name;
    })
    .option("--gpu", "tfjs: the package for NVIDIA GPUs", false)
    .option("--libtensorflow <path>", "tfjs: a C library that you have: a folder, a .so or a wheel")
    .option("--tensorflow <version>", "tfjs: the version of TensorFlow to take from PyPI")
    .addOption(
      new Option("--from <source>", "tfjs: PyPI's wheel, or the download of tfjs-node itself").choices([
        "pypi",
        "official",
      ]),
    )
    .option("--force", "install anew what is there", false)
    .action(async (device: string, options: TfjsOptions) => {
      if (device === "webgpu") {
        process.stdout.write(`webgpu: ${await installWebgpu(options, signal)}\n`);
        return;
      }
      if (device !== "tfjs") {
        process.stdout.write(`${HINTS[device].join("\n")}\n`);
        return;
      }
      const { package: name, version, tensorflow, from } = await installTfjs(options, signal);
      process.stdout.write(
        `${name} ${version} with TensorFlow ${tensorflow} (${from}) is there: setDevice("tfjs").\n`,
      );
    });
  addProtect(program);
  addRosBag(program, signal);
  addRosGenerate(program);
  addRos(program, signal);
  addRun(program);
  addDataCommands(program, signal);
  addParameterServer(program, signal);
  addLaunch(program);
  addRosRun(program);
  return program;
}
