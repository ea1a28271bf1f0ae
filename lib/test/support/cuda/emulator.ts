/**
 * Runs CUDA C++ without a GPU, for tests: the text is compiled by the system's C++ compiler against headers that define
 * CUDA's words (see `emulator/cuda.h`), and called by FFI.
 */
import "./patience.js";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type ForeignLibrary, type Koffi, koffi } from "../../../src/runtime/native/ffi.js";
import { cacheFolder } from "../../../src/runtime/native/toolchain.js";

const HEADERS = fileURLToPath(new URL("emulator/", import.meta.url));
const FLAGS = ["-O1", "-std=c++17", "-fPIC", "-shared", "-w", "-ffp-contract=off", "-fwrapv"];

function findCompiler(): string | null {
  for (const command of ["g++", "clang++", "c++"]) {
    try {
      execFileSync(command, ["--version"], { stdio: "ignore" });
      return command;
    } catch {
      // Not there.
    }
  }
  return null;
}

const compiler = findCompiler();
const ffi = koffi();

/** Why nothing can be emulated here, or null. */
export const emulatorMissing: string | null =
  compiler === null ? "no C++ compiler" : typeof ffi === "string" ? ffi : null;

/** Names of the kernels in a source. */
export function kernelNames(source: string): string[] {
  const names = source.matchAll(
    /__global__\s+(?:void\s+)?(?:__launch_bounds__\s*\([^)]*\)\s*)?(?:void\s+)?(\w+)\s*\(/g,
  );
  return [...names].map((match) => match[1]);
}

type Run = (args: number, launch: Uint32Array, seed: number) => string | null;

const loaded = new Map<string, Map<string, Run>>();
const libraries: unknown[] = [];
let headersDigest = "";
let headersFolder = "";

/**
 * The kernels of a source as functions. @throws Error with the compiler's messages.
 */
export function emulatedKernels(source: string): Map<string, Run> {
  const known = loaded.get(source);
  if (known) return known;
  const names = kernelNames(source);
  const text = `#line 1 "kernel.cu"\n${source.replace(/extern\s+__shared__/g, "extern")}\n#line 1 "launchers"\n${names.map((name) => `EMU_KERNEL(${name})`).join("\n")}\n`;
  const library = (ffi as Koffi).load(build(`#include "mlsys.cuh"\n${text}`));
  libraries.push(library);
  const runs = new Map(names.map((name) => [name, bound(library, name)]));
  loaded.set(source, runs);
  return runs;
}

const digest = (parts: readonly unknown[]): string =>
  createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 40);

/** Folder of the headers, compiled beforehand: most of a kernel's compilation would be theirs. */
function headers(): string {
  if (headersFolder) return headersFolder;
  const names = ["cuda.h", "mlsys.cuh"];
  headersDigest = digest([names.map((name) => readFileSync(join(HEADERS, name), "utf8")), FLAGS, compiler]);
  const folder = join(cacheFolder("cuda-emulator"), headersDigest);
  if (!existsSync(folder)) {
    const own = `${folder}.${process.pid}`;
    mkdirSync(own, { recursive: true });
    for (const name of names) copyFileSync(join(HEADERS, name), join(own, name));
    execFileSync(compiler as string, [...FLAGS, "-x", "c++-header", join(own, "mlsys.cuh")], {
      stdio: "ignore",
    });
    try {
      renameSync(own, folder);
    } catch {
      rmSync(own, { recursive: true, force: true }); // another process was faster
    }
  }
  headersFolder = folder;
  return folder;
}

/** So many kernels are compiled as one text: the compiler's start is most of the work for a small one. */
const TOGETHER = 100;

/** Compiles many sources beforehand, a hundred at a time. */
export function prepareKernels(sources: Iterable<string>): void {
  const todo = [...sources].filter((source) => !loaded.has(source));
  for (let from = 0; from < todo.length; from += TOGETHER) {
    const group = todo.slice(from, from + TOGETHER);
    const text = group.map((source, k) => {
      const plain = source.replace(/^#include.*$/gm, "").replace(/extern\s+__shared__/g, "extern");
      const names = kernelNames(source).map((name) => `EMU_KERNEL_AS(k${k}_${name}, k${k}::${name})`);
      return `namespace k${k} {\n${plain.replace(/extern "C" __global__/g, "static")}\n}\n${names.join("\n")}\n`;
    });
    const library = (ffi as Koffi).load(build(`#include "mlsys.cuh"\n${text.join("")}`));
    libraries.push(library);
    for (const [k, source] of group.entries())
      loaded.set(source, new Map(kernelNames(source).map((name) => [name, bound(library, `k${k}_${name}`)])));
  }
}

const bound = (library: ForeignLibrary, name: string): Run =>
  library.func(`emu_launch_${name}`, "str", ["uintptr_t", "void *", "uint64_t"]) as unknown as Run;

function build(text: string): string {
  const folder = headers();
  // The other headers come from the sources, and count where they are included.
  const more = readdirSync(HEADERS).filter(
    (name) => text.includes(`#include "${name}"`) && name !== "mlsys.cuh",
  );
  const hash = digest([
    text,
    headersDigest,
    ...more.map((name) => readFileSync(join(HEADERS, name), "utf8")),
  ]);
  const path = join(cacheFolder("cuda-emulator"), `${hash}.so`);
  if (existsSync(path)) return path;
  const stem = `${path.slice(0, -3)}.${process.pid}`;
  writeFileSync(`${stem}.cpp`, text);
  try {
    execFileSync(
      compiler as string,
      [...FLAGS, `-I${folder}`, `-I${HEADERS}`, "-o", `${stem}.so`, `${stem}.cpp`],
      {
        stdio: ["ignore", "ignore", "pipe"],
      },
    );
    renameSync(`${stem}.so`, path);
  } catch (error) {
    const messages = String((error as { stderr?: Buffer }).stderr ?? error);
    throw new Error(`the emulator cannot compile this kernel: ${messages.slice(0, 2000)}`);
  } finally {
    rmSync(`${stem}.cpp`, { force: true });
  }
  return path;
}
