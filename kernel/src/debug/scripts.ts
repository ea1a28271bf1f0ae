/** The scripts that V8 knows, and the sources that the reader knows: from one to the other. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import type { Debugger } from "node:inspector";
import { basename } from "node:path";
import { DapError, type DapSource } from "./dap.js";
import {
  cellMapping,
  fileMapping,
  type MappedCell,
  type Mapping,
  type Point,
  pathOf,
  plainMapping,
} from "./mapping.js";
import { cellPath, isHidden } from "./names.js";
import type { Post } from "./session.js";

/** A cell as it was evaluated, by the name of its script. */
export interface RanCell extends MappedCell {
  name: string;
  shadows: readonly string[];
}

export interface Script {
  id: string;
  url: string;
  sourceMapUrl: string;
  hidden: boolean;
}

export interface Location {
  source: DapSource;
  /** From 0. */
  point: Point;
  /** `false`: no line of a source stands for it, for example the end of a cell. */
  mapped: boolean;
}

export class Scripts {
  private readonly byId = new Map<string, Script>();
  private readonly mappings = new Map<string, Promise<Mapping>>();
  /** Cells that a front end showed to the debugger before they ran. */
  private readonly dumped = new Map<string, string>();

  constructor(
    private readonly cells: ReadonlyMap<string, RanCell>,
    private readonly post: Post,
  ) {}

  parsed({ scriptId, url, sourceMapURL }: Debugger.ScriptParsedEventDataType): Script {
    const script = { id: scriptId, url, sourceMapUrl: sourceMapURL ?? "", hidden: isHidden(url) };
    this.byId.set(scriptId, script);
    return script;
  }

  byScriptId(id: string): Script | undefined {
    return this.byId.get(id);
  }

  /** The script that was last evaluated under `url`. */
  byUrl(url: string): Script | undefined {
    return [...this.byId.values()].findLast((script) => script.url === url);
  }

  isHidden(id: string): boolean {
    return this.byId.get(id)?.hidden ?? true;
  }

  isCell(url: string): boolean {
    return this.cells.has(url);
  }

  /** The worker that they belong to is gone. */
  clear(): void {
    this.byId.clear();
    this.mappings.clear();
  }

  dump(source: string): string {
    const path = cellPath(source);
    this.dumped.set(path, source);
    return path;
  }

  /** Text of a cell, if `path` names one. */
  cellSource(path: string): string | undefined {
    return this.dumped.get(path) ?? this.cellsOf(path)[0]?.source;
  }

  cellsOf(path: string): RanCell[] {
    return [...this.cells.values()].filter((cell) => cellPath(cell.source) === path);
  }

  /** The script of a cell's last run. */
  ofCell(path: string): Script | undefined {
    const names = new Set(this.cellsOf(path).map(({ name }) => name));
    return [...this.byId.values()].findLast(({ url }) => names.has(url));
  }

  mapping(script: Script): Promise<Mapping> {
    const cell = this.cells.get(script.url);
    const known = this.mappings.get(script.id);
    if (known) return known;
    const made = cell
      ? Promise.resolve(cellMapping(cell, cellPath(cell.source)))
      : this.mappingOfFile(script);
    this.mappings.set(script.id, made);
    return made;
  }

  /** Scripts, hidden ones aside, that come from the file at `path`. */
  async scriptsOf(path: string): Promise<Script[]> {
    const found: Script[] = [];
    for (const script of this.byId.values())
      if (!script.hidden && script.url !== "" && !this.cells.has(script.url))
        if ((await this.mapping(script)).paths.includes(path)) found.push(script);
    return found;
  }

  async locate(scriptId: string, point: Point): Promise<Location> {
    const script = this.byId.get(scriptId);
    if (!script) return { source: { name: "unknown", path: "" }, point, mapped: false };
    const mapping = await this.mapping(script);
    const found = mapping.toSource(point);
    const source = this.source(script, found?.path ?? mapping.paths[0] ?? script.url);
    return found ? { source, point: found, mapped: true } : { source, point, mapped: false };
  }

  /** Every source that the reader can look at, cells aside. */
  async files(): Promise<DapSource[]> {
    const sources = new Map<string, DapSource>();
    for (const script of this.byId.values())
      if (!script.hidden && script.url.startsWith("file:"))
        for (const path of (await this.mapping(script)).paths)
          sources.set(path, { name: basename(path), path });
    return [...sources.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  /** Cells whose scripts V8 knows. */
  cellSources(): DapSource[] {
    const scripts = [...this.byId.values()].filter(({ url }) => this.cells.has(url));
    return scripts.map((script) => this.source(script, cellPath(this.cells.get(script.url)!.source)));
  }

  async text(path: string, reference: number): Promise<string> {
    const cell = this.cellSource(path);
    if (cell !== undefined) return cell;
    const id = reference > 0 ? String(reference) : /^<eval>\/VM(\d+)$/.exec(path)?.[1];
    if (id !== undefined && this.byId.has(id)) return this.code(id);
    for (const script of await this.scriptsOf(path)) {
      const content = (await this.mapping(script)).content(path);
      if (content !== undefined) return content;
      if (pathOf(script.url) === path && !existsSync(path)) return this.code(script.id);
    }
    if (existsSync(path)) return readFile(path, "utf8");
    throw new DapError(`There is no source ${path}.`);
  }

  /** The code that V8 runs. */
  async code(scriptId: string): Promise<string> {
    const { scriptSource } = await this.post<Debugger.GetScriptSourceReturnType>("Debugger.getScriptSource", {
      scriptId,
    });
    return scriptSource;
  }

  private source(script: Script, path: string): DapSource {
    if (this.cells.has(script.url)) return { name: script.url.replace(/^cell:/, "Cell "), path };
    if (script.url === "") return { name: `VM${script.id}`, path, sourceReference: Number(script.id) };
    return { name: basename(path), path };
  }

  private async mappingOfFile(script: Script): Promise<Mapping> {
    const path = script.url === "" ? `<eval>/VM${script.id}` : pathOf(script.url);
    const mapped = script.sourceMapUrl ? await fileMapping(script.url, script.sourceMapUrl) : undefined;
    // Without its source beside it a map leads nowhere.
    const readable = mapped?.paths.some(
      (source) => existsSync(source) || mapped.content(source) !== undefined,
    );
    return mapped && readable ? mapped : plainMapping(path);
  }
}
