/** `mlsys devices install tfjs`: tfjs-node in a folder of its own, with a libtensorflow, and proof that both work. */
import { rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { type Installed, installedAt, PACKAGES, placeOf } from "../../runtime/tfjs/place.js";
import { buildAddon, FROM_ADDON, findCompiler } from "./addon.js";
import { check } from "./check.js";
import { InstallError } from "./errors.js";
import { locate } from "./libtensorflow.js";
import { command, offline } from "./steps.js";
import { checkVersion, fetchCuda, fetchWheel, findPip, TENSORFLOW, unpackWheel } from "./wheel.js";
import { makeWhole } from "./whole.js";

const VERSION = "4.22.0";
const NODE_API_HEADERS = "1.9.0";

export interface TfjsOptions {
  readonly gpu: boolean;
  /** Folder, shared object or wheel of a libtensorflow that is there already. */
  readonly libtensorflow?: string;
  /** Version of TensorFlow to take from PyPI. */
  readonly tensorflow?: string;
  /** Where the library comes from if none is named; default: PyPI where it serves, else the package's own download. */
  readonly from?: "pypi" | "official";
  /** Installs anew what is there. */
  readonly force: boolean;
}

/**
 * Installs, or says that it is done. Everything is made in a folder beside the final one, which is given its name when it is
 * whole and checked: stopped at any time, what was there before still is.
 * @throws InstallError
 */
export async function installTfjs(options: TfjsOptions, signal: AbortSignal): Promise<Installed> {
  const name = options.gpu ? PACKAGES.gpu : PACKAGES.cpu;
  const place = placeOf(options.gpu ? "gpu" : "cpu");
  const { force: _, ...asked } = options;
  const source = await sourceOf(options);
  const request = JSON.stringify({ ...asked, source, version: VERSION });
  const before = installedAt(place);
  if (before && before.request === request && !options.force) {
    const checked = await check(place, name, signal).catch((error: unknown) => {
      if (!(error instanceof InstallError)) throw error;
      process.stderr.write(`What is there does not work (${error.message}): it is made anew.\n`);
    });
    if (checked) return before;
  }
  return makeWhole(place, async (folder) => {
    const from = await FILL[source](folder, name, options, signal);
    const { tensorflow, gpu } = await check(folder, name, signal);
    if (options.gpu && !gpu)
      process.stderr.write(
        "It found no GPU that it can use and computes on the CPU: NVIDIA's driver 525 or later is needed.\n",
      );
    const installed: Installed = { package: name, version: VERSION, tensorflow, from, request };
    writeFileSync(join(folder, "installed.json"), `${JSON.stringify(installed, null, 2)}\n`);
    return installed;
  });
}

type Source = "path" | "pypi" | "official";

/** Says at once, not after a long download, if a tool is missing. */
async function sourceOf({ libtensorflow, from, tensorflow }: TfjsOptions): Promise<Source> {
  if (libtensorflow !== undefined && (from || tensorflow))
    throw new InstallError("--libtensorflow names the library: --from and --tensorflow do not go with it.");
  if (from === "official" && tensorflow)
    throw new InstallError("--tensorflow chooses a version on PyPI: it does not go with --from official.");
  const builds = process.platform === "linux";
  if (libtensorflow !== undefined && !builds)
    throw new InstallError(
      `--libtensorflow builds the addon, which is done on Linux only; this is ${process.platform}.`,
    );
  if (libtensorflow !== undefined) {
    await findCompiler();
    if (!libtensorflow.endsWith(".whl")) locate(libtensorflow);
    return "path";
  }
  if (from === "official" || (!from && !builds)) return "official";
  checkVersion(tensorflow ?? TENSORFLOW);
  await findCompiler();
  await findPip();
  return "pypi";
}

type Fill = (folder: string, name: string, options: TfjsOptions, signal: AbortSignal) => Promise<string>;

/** Each way fills the folder; it answers where the library came from. */
const FILL: Record<Source, Fill> = {
  async path(folder, name, options, signal) {
    const path = resolve(options.libtensorflow!);
    await npmInstall(folder, name, signal);
    if (path.endsWith(".whl")) return fromWheel(path, folder, name, options, signal);
    const library = locate(path);
    // It stays where it is: the addon remembers the folder.
    await buildAddon(folder, name, library, dirname(library.libraries[0]), signal);
    return library.libraries[0];
  },
  async pypi(folder, name, options, signal) {
    await npmInstall(folder, name, signal);
    const downloads = join(folder, "download");
    const wheel = await fetchWheel(options.tensorflow ?? TENSORFLOW, downloads, options.gpu, signal);
    const from = await fromWheel(wheel, folder, name, options, signal);
    rmSync(downloads, { recursive: true, force: true });
    return from;
  },
  async official(folder, name, _options, signal) {
    await npmInstall(folder, name, signal, { scripts: true });
    return "its own download";
  },
};

async function fromWheel(
  wheel: string,
  folder: string,
  name: string,
  { gpu }: TfjsOptions,
  signal: AbortSignal,
): Promise<string> {
  // Laid as in Python's site-packages: the library finds CUDA's beside itself, as `../nvidia/*/lib`.
  const site = join(folder, "site");
  const unpacked = await unpackWheel(wheel, site, signal);
  if (gpu) await fetchCuda(wheel, site, signal);
  await buildAddon(folder, name, locate(unpacked), `${FROM_ADDON}/site/tensorflow`, signal);
  rmSync(join(unpacked, "include"), { recursive: true, force: true });
  return basename(wheel);
}

async function npmInstall(
  folder: string,
  name: string,
  signal: AbortSignal,
  { scripts = false } = {},
): Promise<void> {
  writeFileSync(join(folder, "package.json"), '{ "private": true }\n');
  const flags = ["--no-audit", "--no-fund", ...(scripts ? [] : ["--ignore-scripts"])];
  await command(
    `${name} ${VERSION} from npm${scripts ? ", with its own download of TensorFlow" : ""}`,
    process.platform === "win32" ? "npm.cmd" : "npm",
    ["install", ...flags, `${name}@${VERSION}`, `node-api-headers@${NODE_API_HEADERS}`],
    {
      cwd: folder,
      signal,
      explain: (output) =>
        offline(output)
          ? scripts
            ? "the host that tfjs-node downloads TensorFlow from cannot be reached. Without it: --from pypi, or --libtensorflow PATH."
            : "the npm registry cannot be reached. Connect, or set npm's registry (npm config set registry URL)."
          : /E404|ETARGET/.test(output)
            ? `the npm registry has no ${name} ${VERSION}.`
            : undefined,
    },
  );
}
