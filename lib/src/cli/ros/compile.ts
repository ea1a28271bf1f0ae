/** Compiling and linking: sources to objects, a few at a time; what is newer than its sources is kept. */
import { existsSync, mkdirSync, renameSync, statSync } from "node:fs";
import { availableParallelism } from "node:os";
import { basename, dirname, join } from "node:path";
import { InstallError } from "../install/errors.js";
import { command, execute, step } from "../install/steps.js";

export interface CompileOptions {
  readonly compiler: string;
  readonly include: readonly string[];
  readonly flags: readonly string[];
  readonly cwd?: string;
  /** Compilers at once. */
  readonly jobs?: number;
  readonly signal: AbortSignal;
}

/** Compilers at once: two, so that the machine stays usable. */
const JOBS = Math.min(2, availableParallelism());

const C = ["-x", "c", "-std=gnu11"];
const CXX = ["-x", "c++", "-std=c++17"];

/** @returns the objects, in `folder`, in the order of the sources */
export async function compileAll(
  label: string,
  sources: readonly string[],
  folder: string,
  options: CompileOptions,
): Promise<string[]> {
  mkdirSync(folder, { recursive: true });
  const { cwd = ".", compiler, signal } = options;
  const work = sources.map((source) => ({ source, object: objectOf(source, folder) }));
  const queue = work.filter(({ source, object }) => isOlder(object, join(cwd, source), source));
  if (queue.length === 0) return work.map(({ object }) => object);
  const total = queue.length;
  const explain = explainCompiler(compiler);
  await step(`${label} (${total} file${total === 1 ? "" : "s"})`, async (say) => {
    const worker = async () => {
      for (let next = queue.shift(); next; next = queue.shift()) {
        const { source, object } = next;
        say(`${basename(source)}, ${queue.length} to come`);
        const part = `${object}.part`; // stopped half-way, no object is there
        const args = compilerArguments(source, part, options);
        await execute(`compiling ${basename(source)}`, compiler, args, { cwd, signal, explain }, () => {});
        renameSync(part, object);
      }
    };
    const workers = await Promise.allSettled(Array.from({ length: options.jobs ?? JOBS }, worker));
    const failed = workers.find(({ status }) => status === "rejected") as PromiseRejectedResult | undefined;
    if (failed) throw failed.reason;
  });
  return work.map(({ object }) => object);
}

const compilerArguments = (source: string, object: string, { include, flags }: CompileOptions): string[] => [
  ...(source.endsWith(".c") ? C : CXX),
  ...["-O2", "-fPIC", "-w", ...flags],
  ...include.map((path) => `-I${path}`),
  ...["-c", source, "-o", object],
];

/** Two sources of one name in different folders get different objects. */
const objectOf = (source: string, folder: string): string =>
  join(folder, `${source.replace(/^\/+/, "").replaceAll(/[^\w.-]/g, "_")}.o`);

function isOlder(object: string, ...candidates: string[]): boolean {
  if (!existsSync(object)) return true;
  const source = candidates.find((path) => existsSync(path));
  return source === undefined || statSync(source).mtimeMs > statSync(object).mtimeMs;
}

export interface LinkOptions {
  readonly compiler: string;
  /** Folders and names (`-l`), or paths, of libraries. */
  readonly libraries: readonly string[];
  readonly folders?: readonly string[];
  /** Where the loader looks for what the library needs, and for what that needs in turn. */
  readonly rpath: readonly string[];
  readonly signal: AbortSignal;
}

/** Makes a shared object. */
export async function link(
  label: string,
  objects: readonly string[],
  output: string,
  { compiler, libraries, folders = [], rpath, signal }: LinkOptions,
): Promise<void> {
  mkdirSync(dirname(output), { recursive: true });
  await command(
    label,
    compiler,
    [
      ...["-shared", ...objects, "-o", output, `-Wl,-soname,${basename(output)}`],
      ...folders.map((folder) => `-L${folder}`),
      ...libraries.map((library) => (library.includes("/") ? library : `-l${library}`)),
      // RPATH and not RUNPATH: it serves the libraries that these need as well.
      ...["-Wl,--disable-new-dtags", `-Wl,-rpath,${rpath.join(":")}`, "-Wl,--allow-shlib-undefined"],
    ],
    { signal, explain: explainCompiler(compiler) },
  );
}

const explainCompiler =
  (compiler: string) =>
  (output: string): string | undefined => {
    const header = /fatal error: (\S+): No such file/.exec(output)?.[1];
    if (header === undefined) return undefined;
    const system = !header.includes("/") || /^(bits|sys)\//.test(header);
    return `${compiler} misses ${header}: ${system ? "the C++ standard library's headers are not installed (Debian, Ubuntu: apt install g++)" : "ROS 2's headers are not whole; make the installation anew: npx mlsys ros install --force"}.`;
  };

/** @throws InstallError where nothing can be built */
export function checkCanBuild(): void {
  if (process.platform !== "linux")
    throw new InstallError(
      `rclnodejs's addon is built here on Linux only; this is ${process.platform}. Use the in-process graph, which needs nothing.`,
    );
}
