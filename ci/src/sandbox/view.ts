/**
 * What a box can see: the system's programs and libraries, Node, the kernel and the library, the grader's own agent,
 * and nothing of the course, of other submissions or of the user. Everything is read-only and at its usual path.
 */
import { existsSync, lstatSync, realpathSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { softwareGpu } from "./software-gpu.js";

export interface View {
  /** Files and folders, read-only. */
  readable: string[];
  /** Folders that are shown in the place of others, read-only. */
  mounts?: readonly { from: string; to: string }[];
  /** The working folder: empty, and writable up to a limit. */
  cwd: string;
}

/** Loader's cache, alternatives (BLAS is found through them), and time zones' default. Nothing with names or keys. */
const SYSTEM = [
  "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/nix/store",
  "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives",
]; // biome-ignore format: a table

/** Parts of a package that run; tests, fixtures and sources are not shown. */
const PARTS = ["package.json", "bin", "dist", "assets", "node_modules"];
/** Of the grader itself, only what is loaded beside the learner's code. */
const GRADER_PARTS = ["package.json", "dist/box", "dist/kit", "dist/wire", "node_modules"];

/**
 * @param folder the assignment's folder, which imports resolve from
 * @param extra files and folders of the course that answers may read
 */
export function viewFor(folder: string, extra: readonly string[] = []): View {
  const own = graderRoot();
  const packages = [
    ...GRADER_PARTS.map((part) => join(own, part)),
    ...["@mlsys/kernel", "mlsys"].flatMap((name) => {
      const root = packageRoot(name);
      return root === undefined ? [] : PARTS.map((part) => join(root, part));
    }),
  ];
  const cwd = resolve(folder);
  const found = [
    ...SYSTEM,
    realpathSync(process.execPath),
    ...[softwareGpu()].filter((path) => path !== undefined),
    ...packages,
    ...packageFolders(own),
    ...packageFolders(cwd),
    join(cwd, "package.json"),
    join(cwd, "tsconfig.json"),
    ...extra.map((path) => resolve(cwd, path)),
  ].filter((path) => existsSync(path));
  return { cwd, readable: withoutNested([...new Set(found)], cwd) };
}

export function graderRoot(): string {
  // From `src/sandbox` and from `dist/sandbox` alike.
  return dirname(dirname(dirname(realpathSync(fileURLToPath(import.meta.url)))));
}

export function packageRoot(name: string): string | undefined {
  try {
    return dirname(realpathSync(createRequire(import.meta.url).resolve(`${name}/package.json`)));
  } catch {
    return undefined;
  }
}

/** Where Node looks for packages, from `path` upwards. */
export function packageFolders(path: string): string[] {
  return ancestors(path)
    .map((folder) => join(folder, "node_modules"))
    .filter((folder) => !isPlanted(folder));
}

/** In a folder that all may write (`/tmp`), packages that are neither ours nor root's may be a submission's. */
function isPlanted(path: string): boolean {
  const { uid } = lstatSync(path, { throwIfNoEntry: false }) ?? {};
  if (uid === undefined || uid === 0 || uid === process.getuid?.()) return false;
  return (statSync(dirname(path)).mode & 0o002) !== 0;
}

function ancestors(path: string): string[] {
  const parent = dirname(path);
  return parent === path ? [path] : [path, ...ancestors(parent)];
}

/** Sorted, so that a folder comes before what lies in it; what a folder shows anyway is not shown twice. */
function withoutNested(paths: string[], cwd: string): string[] {
  const kept: string[] = [];
  for (const path of paths.sort()) {
    // The working folder is laid over whatever shows its place, so what lies in it is named again.
    if (!kept.some((other) => isInside(path, other) && !isInside(cwd, other))) kept.push(path);
  }
  return kept;
}

function isInside(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder === "/" ? "/" : `${folder}/`);
}
