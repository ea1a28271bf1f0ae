/**
 * The session as files of a project that TypeScript 7 reads: the cell being checked, the cells before it and a tsconfig are
 * kept in memory, beside the notebook's real files.
 */
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { FileSystem } from "typescript-native/unstable/fs";
import { ambientFiles, DEFAULT_OPTIONS, DROPPED_OPTIONS, FIXED_OPTIONS, TSLAB } from "./options.js";
import { wasmDeclarations, wasmFile } from "./wasm.js";

const HERE = fileURLToPath(import.meta.url);

/** Packages of this project: a cell finds them from anywhere. */
const OURS = ["mlsys", "@mlsys/kernel", "@mlsys/grader"];

/** Texts by path that are on the disk as well. */
class WrittenFiles extends Map<string, string> {
  override set(path: string, text: string): this {
    writeFileSync(path, text);
    return super.set(path, text);
  }
  override delete(path: string): boolean {
    rmSync(path, { force: true });
    return super.delete(path);
  }
}

export class NativeProject {
  /** The tsconfig of the session. */
  readonly config: string;
  /** The cell that is being checked. */
  readonly draft: string;
  private readonly memory: Map<string, string>;
  /** Files of the reader's that cells import, with their times: they may change while the session lives. */
  private readonly watched = new Map<string, number>();

  /**
   * @param own the notebook's tsconfig, if it has one
   * @param paths of that tsconfig: a session's own would replace them
   */
  constructor(
    private readonly directory: string,
    own?: string,
    paths: Readonly<Record<string, readonly string[]>> = {},
    /** Writes the session's files into the folder: TypeScript then asks the system for files, and not us for each. */
    readonly written = false,
  ) {
    this.memory = written ? new WrittenFiles() : new Map();
    this.config = join(directory, "__session__.json");
    this.draft = join(directory, "__cell__.ts");
    const defaults = join(directory, "__session_defaults__.json");
    this.memory.set(defaults, JSON.stringify({ compilerOptions: DEFAULT_OPTIONS, files: [] }));
    this.memory.set(
      this.config,
      JSON.stringify({
        extends: [defaults, ...(own ? [own] : [])],
        compilerOptions: {
          ...FIXED_OPTIONS,
          ...Object.fromEntries(DROPPED_OPTIONS.map((name) => [name, null])),
          paths: { ...packagePaths(directory), ...paths, tslab: [TSLAB] },
        },
        files: [this.draft, ...ambientFiles(directory)],
        include: [],
      }),
    );
    this.memory.set(this.draft, "");
  }

  get fileSystem(): FileSystem {
    return {
      readFile: (file) => this.memory.get(file) ?? wasmDeclarations(file),
      fileExists: (file) => (this.memory.has(file) || isWasm(file) ? true : undefined),
    };
  }

  setDraft(content: string): void {
    this.memory.set(this.draft, content);
  }

  /** Path of the module that an earlier cell became. */
  modulePath(module: string): string {
    return join(this.directory, `${module}.ts`);
  }

  /** @param modules of the session, by name; those that it no longer has are forgotten. @returns what was added and removed */
  setModules(modules: ReadonlyMap<string, string>): { created: string[]; deleted: string[] } {
    const wanted = new Map([...modules].map(([name, content]) => [this.modulePath(name), content]));
    const deleted = [...this.memory.keys()].filter((path) => isModulePath(path) && !wanted.has(path));
    const created = [...wanted.keys()].filter((path) => !this.memory.has(path));
    for (const path of deleted) this.memory.delete(path);
    for (const path of created) this.memory.set(path, wanted.get(path) as string);
    return { created, deleted };
  }

  /** @param files of the program: those of the reader's own are looked after from now on */
  watch(files: readonly string[]): void {
    for (const file of files)
      if (!this.memory.has(file) && !this.watched.has(file) && !/[\\/]node_modules[\\/]|^bundled:/.test(file))
        this.watched.set(file, timeOf(file));
  }

  /** The reader's files that changed since they were last looked at. */
  changes(): { changed: string[]; deleted: string[] } {
    const [changed, deleted]: [string[], string[]] = [[], []];
    for (const [file, before] of this.watched) {
      const now = timeOf(file);
      if (now === before) continue;
      this.watched.set(file, now);
      (now === 0 ? deleted : changed).push(file);
    }
    return { changed, deleted };
  }
}

/** Whether a file of declarations stands for a WebAssembly module that is there. */
function isWasm(file: string): boolean {
  const wasm = wasmFile(file);
  return wasm !== undefined && existsSync(wasm);
}

const isModulePath = (path: string): boolean => /[\\/]__cell_\d+__\.ts$/.test(path);

/** Of a file's last change; 0 if there is none. */
function timeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

/** Where the types of our packages are, unless the notebook's folder has packages of these names itself. */
function packagePaths(directory: string): Record<string, string[]> {
  const paths: Record<string, string[]> = {};
  for (const name of OURS) {
    if (manifestOf(name, join(directory, "cell.js"))) continue;
    const manifest = manifestOf(name, HERE);
    if (!manifest) continue;
    const { exports = {} } = JSON.parse(readFileSync(manifest, "utf8")) as {
      exports?: Record<string, string | { types?: string }>;
    };
    for (const [entry, target] of Object.entries(exports))
      if (typeof target === "object" && target.types)
        paths[join(name, entry)] = [join(dirname(manifest), target.types)];
  }
  return paths;
}

function manifestOf(name: string, from: string): string | undefined {
  try {
    return createRequire(from).resolve(`${name}/package.json`);
  } catch {
    return undefined;
  }
}
