/** The system's C compiler: where it is, what the processor has, and shared libraries made by it, cached on disk. */
import { type ExecFileSyncOptionsWithStringEncoding, execFile, execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { threadId } from "node:worker_threads";
import { DeviceError } from "../../core/errors.js";

export interface Toolchain {
  /** Command of the compiler. */
  readonly compiler: string;
  readonly version: string;
  readonly flags: readonly string[];
  /** Bytes of a vector register: 64 with AVX-512, 32 with AVX, else 16. */
  readonly vectorBytes: number;
  /** Vector registers. */
  readonly registers: number;
}

const FLAGS = [
  "-O3",
  "-std=gnu11",
  "-fPIC",
  "-shared",
  "-fno-math-errno",
  "-fno-trapping-math",
  "-ffp-contract=fast",
  "-w",
];
const TIMEOUT_MS = 300_000; // seconds are usual; a machine that is busy takes longer

let found: Toolchain | string | undefined;

/** The compiler, or why there is none. Looks once. */
export function toolchain(): Toolchain | string {
  found ??= look();
  return found;
}

function look(): Toolchain | string {
  if (process.env.MLSYS_CC === "") return "MLSYS_CC is empty: no C compiler is wanted";
  const wanted = process.env.MLSYS_CC;
  const tried: string[] = [];
  for (const compiler of wanted ? [wanted] : ["cc", "clang", "gcc"]) {
    tried.push(compiler);
    for (const tune of [["-march=native"], ["-mcpu=native"], []]) {
      try {
        const options: ExecFileSyncOptionsWithStringEncoding = {
          encoding: "utf8",
          stdio: ["ignore", "pipe", "ignore"],
          timeout: TIMEOUT_MS,
        };
        const macros = execFileSync(compiler, [...tune, "-dM", "-E", "-x", "c", "/dev/null"], options);
        const has = (name: string): boolean => macros.includes(`#define ${name} `);
        const version = execFileSync(compiler, ["--version"], options).split("\n")[0];
        const vectorBytes = has("__AVX512F__") ? 64 : has("__AVX__") ? 32 : 16;
        const wide = vectorBytes === 64 && !version.includes("clang") ? ["-mprefer-vector-width=512"] : [];
        const registers = vectorBytes === 64 || has("__aarch64__") ? 32 : 16;
        return { compiler, version, flags: [...FLAGS, ...tune, ...wide], vectorBytes, registers };
      } catch {
        // Not there, or it does not know the flag.
      }
    }
  }
  return `no C compiler (tried ${tried.join(", ")}); install one, or name it in MLSYS_CC`;
}

/** Folder of things that are made once: `MLSYS_CACHE`, else the user's cache folder. */
export function cacheFolder(...parts: string[]): string {
  const base =
    process.env.MLSYS_CACHE ??
    join(process.env.XDG_CACHE_HOME ?? join(homedir() || tmpdir(), ".cache"), "mlsys");
  const folder = join(base, ...parts);
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** Where the library of this source is, or will be: named by a hash of source, compiler and flags. */
export function libraryPath(source: string, tools: Toolchain): string {
  const hash = createHash("sha256")
    .update(JSON.stringify([source, tools, cpuModel()]))
    .digest("hex");
  return join(cacheFolder("native"), `${hash.slice(0, 40)}.so`);
}

/** `-march=native` is another code on another processor: a cache that moves with a home folder must not mix them. */
function cpuModel(): string {
  model ??= existsSync("/proc/cpuinfo")
    ? (/^flags.*$/m.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[0] ?? "")
    : process.arch;
  return model;
}
let model: string | undefined;

/** As many compilers at once as leave room for the work that goes on meanwhile. */
const COMPILERS = Math.max(1, availableParallelism() >> 1);
let compilers = 0;
const waiting: (() => void)[] = [];

/** Compiles in the background. Resolves to the library's path; at once if it is in the cache. */
export function buildLibrary(source: string, tools: Toolchain): Promise<string> {
  const path = libraryPath(source, tools);
  if (existsSync(path)) return Promise.resolve(path);
  return new Promise((resolve, reject) => {
    const start = (): void => {
      if (existsSync(path)) {
        resolve(path);
        waiting.shift()?.();
        return;
      }
      compilers++;
      const { command, finish } = prepare(source, path, tools);
      const child = execFile(tools.compiler, command, { timeout: TIMEOUT_MS }, (error, _out, err) => {
        compilers--;
        waiting.shift()?.();
        try {
          resolve(finish(error, err));
        } catch (problem) {
          reject(problem);
        }
      });
      child.unref(); // a process that is done need not wait for it
      (child.stdout as { unref?(): void } | null)?.unref?.();
      (child.stderr as { unref?(): void } | null)?.unref?.();
    };
    if (compilers < COMPILERS) start();
    else waiting.push(start);
  });
}

/** Compiles at once. @throws DeviceError with the compiler's message. */
export function buildLibrarySync(source: string, tools: Toolchain): string {
  const path = libraryPath(source, tools);
  if (existsSync(path)) return path;
  const { command, finish } = prepare(source, path, tools);
  try {
    execFileSync(tools.compiler, command, { timeout: TIMEOUT_MS, stdio: ["ignore", "ignore", "pipe"] });
  } catch (error) {
    return finish(error as Error, String((error as { stderr?: Buffer }).stderr ?? ""));
  }
  return finish(null, "");
}

let builds = 0;

function prepare(source: string, path: string, tools: Toolchain) {
  const stem = `${path.slice(0, -3)}.${process.pid}.${threadId}.${builds++}`;
  writeFileSync(`${stem}.c`, source);
  const finish = (error: Error | null, messages: string): string => {
    rmSync(`${stem}.c`, { force: true });
    if (error) {
      rmSync(`${stem}.so`, { force: true });
      throw new DeviceError(
        `${tools.compiler} could not compile a kernel: ${messages.trim().split("\n").slice(0, 3).join("; ") || error.message}`,
      );
    }
    renameSync(`${stem}.so`, path); // whole or not at all, also with several processes
    return path;
  };
  return { command: [...tools.flags, "-o", `${stem}.so`, `${stem}.c`, "-lm", "-lpthread"], finish };
}
