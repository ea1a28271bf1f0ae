/**
 * TensorFlow's C library out of a wheel of PyPI. Wheels from 2.12 on carry it whole, without a symbol of Python, as
 * `libtensorflow_cc.so.2` and `libtensorflow_framework.so.2`, with the C headers beside them; older ones hide it in an
 * extension module that only Python can load. Tried: 2.12 to 2.21, each on Linux x64.
 */
import { execFile } from "node:child_process";
import { createWriteStream, mkdirSync, readdirSync } from "node:fs";
import { dirname, join, sep } from "node:path";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import { type Entry, openPromise, type ZipFile } from "yauzl";
import { InstallError } from "./errors.js";
import { command, offline, step } from "./steps.js";

/** The version that is fetched when none is named: 2.21 writes a line of log at each start, whatever the log level. */
export const TENSORFLOW = "2.20.0";
const OLDEST = [2, 12];

const PLATFORMS: Partial<Record<string, readonly string[]>> = {
  x64: ["manylinux2014_x86_64", "manylinux_2_17_x86_64", "manylinux_2_27_x86_64", "manylinux_2_28_x86_64"],
  arm64: [
    "manylinux2014_aarch64",
    "manylinux_2_17_aarch64",
    "manylinux_2_27_aarch64",
    "manylinux_2_28_aarch64",
  ],
};

const run = promisify(execFile);

/** A Python that has pip, or why there is none. pip alone is wanted of it: the library never meets Python. */
export async function findPip(): Promise<string> {
  for (const python of ["python3", "python"]) {
    try {
      await run(python, ["-m", "pip", "--version"]);
      return python;
    } catch {
      // not there, or without pip
    }
  }
  throw new InstallError(
    "Python with pip is needed to fetch TensorFlow's wheel and was not found: install it (Debian, Ubuntu: apt install python3-pip), or name a libtensorflow that you have: --libtensorflow PATH.",
  );
}

/** @throws InstallError if this version's wheel cannot serve */
export function checkVersion(version: string): void {
  const [major, minor] = version.split(".").map(Number);
  if (!/^\d+\.\d+(\.\d+\S*)?$/.test(version))
    throw new InstallError(`"${version}" is no version of TensorFlow; an example is ${TENSORFLOW}.`);
  if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1]))
    throw new InstallError(
      `TensorFlow ${version} is too old: wheels before ${OLDEST.join(".")} have no C library that loads without Python. Name a later one, or leave the version out for ${TENSORFLOW}.`,
    );
}

/**
 * Fetches the wheel. On x64 without a GPU it is `tensorflow-cpu`, which is half as big.
 * @returns its path
 */
export async function fetchWheel(
  version: string,
  folder: string,
  gpu: boolean,
  signal: AbortSignal,
): Promise<string> {
  checkVersion(version);
  const platforms = PLATFORMS[process.arch];
  if (process.platform !== "linux" || !platforms)
    throw new InstallError(
      `PyPI's wheels of TensorFlow serve on Linux, x64 and arm64; this is ${process.platform} ${process.arch}. Use --from official.`,
    );
  const python = await findPip();
  const name = gpu || process.arch !== "x64" ? "tensorflow" : "tensorflow-cpu";
  mkdirSync(folder, { recursive: true });
  // Any wheel of that version will do, whatever Python it is for: the C library is the same.
  const anyPython = ["3.12", "3.11", "3.10"];
  const fetch = (pythonVersion: string) =>
    command(
      `TensorFlow ${version} from PyPI (${gpu ? "600" : "200 to 300"} MB)`,
      python,
      [
        ...["-m", "pip", "download", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:"],
        ...["--implementation", "cp", "--python-version", pythonVersion],
        ...platforms.flatMap((platform) => ["--platform", platform]),
        ...["--dest", folder, `${name}==${version}`],
      ],
      {
        signal,
        explain: (output) =>
          offline(output)
            ? "the package index cannot be reached. Connect, or set pip's index (PIP_INDEX_URL), or name a libtensorflow or a wheel that you have: --libtensorflow PATH."
            : /No matching distribution|Could not find a version/.test(output)
              ? `there is no wheel of ${name} ${version} for this machine and Python ${pythonVersion}. Name another version: --tensorflow VERSION (${TENSORFLOW} is known to work).`
              : undefined,
      },
    );
  for (const pythonVersion of anyPython) {
    try {
      await fetch(pythonVersion);
      break;
    } catch (error) {
      const more = pythonVersion !== anyPython.at(-1);
      if (!more || !(error instanceof InstallError) || !error.message.includes("no wheel of")) throw error;
    }
  }
  const wheel = readdirSync(folder).find((file) => file.endsWith(".whl"));
  if (!wheel) throw new InstallError(`pip left no wheel in ${folder}.`);
  return join(folder, wheel);
}

const LIBRARY = /^tensorflow\/libtensorflow_(cc|framework)\.so\.2$/;
/** The C headers and what they include. */
const HEADER =
  /^tensorflow\/include\/(tensorflow\/(c|core\/platform)\/|(xla\/)?tsl\/|tensorflow\/tsl\/).*\.h$/;

/** Takes library and headers out of a wheel, into `folder/tensorflow` as in the wheel. @throws InstallError */
export async function unpackWheel(wheel: string, folder: string, signal: AbortSignal): Promise<string> {
  return step("unpacking the C library", async (say) => {
    let zip: ZipFile;
    try {
      zip = await openPromise(wheel, { lazyEntries: true, autoClose: false });
    } catch (error) {
      throw new InstallError(`${wheel} is no wheel that can be read: ${(error as Error).message}`);
    }
    try {
      let libraries = 0;
      for await (const entry of zip.eachEntry()) {
        signal.throwIfAborted();
        const library = LIBRARY.test(entry.fileName);
        if (!library && !HEADER.test(entry.fileName)) continue;
        if (library) libraries++;
        await extract(zip, entry, folder, say, signal);
      }
      if (libraries < 2)
        throw new InstallError(
          `${wheel} has no libtensorflow_cc.so.2: only wheels of tensorflow or tensorflow-cpu for Linux, ${OLDEST.join(".")} or later, do.`,
        );
    } finally {
      zip.close();
    }
    return join(folder, "tensorflow");
  });
}

async function extract(
  zip: ZipFile,
  entry: Entry,
  folder: string,
  say: (text: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const file = join(folder, ...entry.fileName.split("/"));
  if (!file.startsWith(folder + sep)) throw new InstallError(`${entry.fileName} leads out of its folder.`);
  mkdirSync(dirname(file), { recursive: true });
  const stream = await zip.openReadStreamPromise(entry);
  let written = 0;
  if (entry.uncompressedSize > 1e6)
    stream.on("data", (chunk: Buffer) => {
      written += chunk.length;
      say(`${(written / 1e6).toFixed(0)} of ${(entry.uncompressedSize / 1e6).toFixed(0)} MB`);
    });
  await pipeline(stream, createWriteStream(file), { signal });
}

/** What `tensorflow[and-cuda]` asks for, beside the library: CUDA's own libraries, into `folder/nvidia`. */
export async function fetchCuda(wheel: string, folder: string, signal: AbortSignal): Promise<void> {
  const wanted = await cudaRequirements(wheel);
  if (wanted.length === 0)
    throw new InstallError(`${wheel} names no CUDA libraries (its extra and-cuda): take a later version.`);
  await command(
    "CUDA libraries from PyPI (about 3 GB)",
    await findPip(),
    [
      ...["-m", "pip", "install", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:"],
      ...["--target", folder, ...wanted],
    ],
    { signal, explain: (output) => (offline(output) ? "the package index cannot be reached." : undefined) },
  );
}

/** @example ["nvidia-cublas-cu12<13.0,>=12.5.3.2"] */
export async function cudaRequirements(wheel: string): Promise<string[]> {
  const zip = await openPromise(wheel, { lazyEntries: true, autoClose: false });
  try {
    for await (const entry of zip.eachEntry()) {
      if (!/^tensorflow[^/]*\.dist-info\/METADATA$/.test(entry.fileName)) continue;
      let text = "";
      for await (const chunk of await zip.openReadStreamPromise(entry)) text += chunk;
      return text
        .split("\n")
        .map((line) => /^Requires-Dist:\s*([^;]+);\s*extra == ["']and-cuda["']/.exec(line)?.[1].trim())
        .filter((line) => line !== undefined);
    }
    return [];
  } finally {
    zip.close();
  }
}
