/** What TypeScript's language service reads: the session's cells from memory, everything else from disk. */
import { dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";

import ts = require("typescript");

import { ambientFiles, TSLAB } from "./options.js";
import { type CellSession, isCellModule } from "./session.js";
import { wasmDeclarations, wasmFile } from "./wasm.js";

/** A host that tells the kind of one file has to tell it of all. */
const KINDS: Readonly<Record<string, ts.ScriptKind>> = {
  ".ts": ts.ScriptKind.TS,
  ".mts": ts.ScriptKind.TS,
  ".cts": ts.ScriptKind.TS,
  ".tsx": ts.ScriptKind.TSX,
  ".js": ts.ScriptKind.JS,
  ".mjs": ts.ScriptKind.JS,
  ".cjs": ts.ScriptKind.JS,
  ".jsx": ts.ScriptKind.JSX,
  ".json": ts.ScriptKind.JSON,
};

const HERE = fileURLToPath(import.meta.url);
const OURS = /^(mlsys|@mlsys\/[^/]+)($|\/)/;

export class SessionHost implements ts.LanguageServiceHost {
  /** The cell that is being checked, completed or inspected. Always the same file, so the program keeps its shape. */
  readonly draft: string;
  private content = "";
  private kind = ts.ScriptKind.TS;
  /** Of the modules that are not plain TypeScript. */
  readonly moduleKinds = new Map<string, ts.ScriptKind>();
  private version = 0;
  private readonly roots: string[];
  private readonly resolutions: ts.ModuleResolutionCache;
  private readonly snapshots = new Map<string, { version: string; snapshot: ts.IScriptSnapshot }>();

  constructor(
    private readonly directory: string,
    private readonly session: CellSession,
    private options: ts.CompilerOptions,
  ) {
    this.draft = join(directory, "__cell__.ts");
    this.resolutions = ts.createModuleResolutionCache(directory, (name) => name, options);
    this.roots = [this.draft, ...ambientFiles(directory)];
  }

  setDraft(content: string, kind = ts.ScriptKind.TS): void {
    if (content === this.content && kind === this.kind) return;
    this.kind = kind;
    this.content = content;
    this.version++;
  }

  /** Other options from now on; what was checked before is checked anew. */
  useOptions(options: ts.CompilerOptions): void {
    this.options = options;
    this.version++;
  }

  packagesChanged(): void {
    this.resolutions.clear();
    this.version++;
  }

  /** TypeScript asks for the package.json of every file in the program, each time; the cache answers. */
  getModuleResolutionCache = (): ts.ModuleResolutionCache => this.resolutions;
  getCompilationSettings = (): ts.CompilerOptions => this.options;
  getScriptFileNames = (): string[] => this.roots;
  getCurrentDirectory = (): string => this.directory;
  getDefaultLibFileName = (options: ts.CompilerOptions): string => ts.getDefaultLibFilePath(options);
  readFile = (file: string): string | undefined =>
    this.cellText(file) ?? ts.sys.readFile(file) ?? wasmDeclarations(file);
  fileExists = (file: string): boolean =>
    this.cellText(file) !== undefined || ts.sys.fileExists(wasmFile(file) ?? file);
  readDirectory = ts.sys.readDirectory;
  directoryExists = ts.sys.directoryExists;
  getDirectories = ts.sys.getDirectories;
  realpath = ts.sys.realpath;

  getScriptKind = (file: string): ts.ScriptKind => {
    if (file === this.draft) return this.kind;
    const module = /[\\/](__cell_\d+__)\.ts$/.exec(file)?.[1];
    return this.moduleKinds.get(module ?? "") ?? KINDS[extname(file)] ?? ts.ScriptKind.Unknown;
  };

  getScriptVersion = (file: string): string => {
    if (file === this.draft) return String(this.version);
    if (
      this.cellText(file) !== undefined ||
      file.includes("/node_modules/") ||
      file.includes("\\node_modules\\")
    )
      return "1";
    const source = ts.sys.fileExists(file) ? file : (wasmFile(file) ?? file);
    return String(ts.sys.getModifiedTime?.(source)?.getTime() ?? 0);
  };

  getScriptSnapshot = (file: string): ts.IScriptSnapshot | undefined => {
    if (file === this.draft) return ts.ScriptSnapshot.fromString(this.content);
    const version = this.getScriptVersion(file);
    const known = this.snapshots.get(file);
    if (known?.version === version) return known.snapshot;
    const text = this.readFile(file);
    if (text === undefined) return undefined;
    const snapshot = ts.ScriptSnapshot.fromString(text);
    // Cells are remembered by the session itself.
    if (this.cellText(file) === undefined) this.snapshots.set(file, { version, snapshot });
    return snapshot;
  };

  resolveModuleNameLiterals = (
    literals: readonly ts.StringLiteralLike[],
    containing: string,
    _redirected: unknown,
    options: ts.CompilerOptions,
  ): readonly ts.ResolvedModuleWithFailedLookupLocations[] =>
    literals.map(({ text }) => this.resolveModule(text, containing, options));

  private resolveModule(
    name: string,
    containing: string,
    options: ts.CompilerOptions,
  ): ts.ResolvedModuleWithFailedLookupLocations {
    const inCell = dirname(containing) === this.directory;
    if (inCell && isCellModule(name))
      return found(join(this.directory, `${name.slice(2)}.ts`), ts.Extension.Ts);
    if (inCell && name === "tslab") return found(TSLAB, ts.Extension.Dts);
    const resolved = ts.resolveModuleName(name, containing, options, this);
    if (resolved.resolvedModule || !OURS.test(name)) return resolved;
    return ts.resolveModuleName(name, HERE, options, this);
  }

  private cellText(file: string): string | undefined {
    const match = /[\\/](__cell_\d+__)\.ts$/.exec(file);
    return match && dirname(file) === this.directory ? this.session.module(match[1]!) : undefined;
  }
}

function found(
  resolvedFileName: string,
  extension: ts.Extension,
): ts.ResolvedModuleWithFailedLookupLocations {
  return { resolvedModule: { resolvedFileName, extension, isExternalLibraryImport: false } };
}
