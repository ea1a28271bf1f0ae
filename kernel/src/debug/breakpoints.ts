/**
 * Breakpoints. A cell's are kept by its source: V8 is told of them when the cell is about to run, for each run anew,
 * because each run is a script of its own. A file's are told when its script is loaded.
 */
import type { Debugger } from "node:inspector";
import { basename } from "node:path";
import { pathToFileURL } from "node:url";
import { RUNTIME } from "../compile/scope.js";
import type { Json } from "../protocol/message.js";
import { breakableLines } from "./breakable.js";
import type { DapBreakpoint } from "./dap.js";
import { type BreakpointRules, breakpointCondition, type Shadowed } from "./expressions.js";
import { cellMapping, type Mapping, type Point, plainMapping } from "./mapping.js";
import { isCellPath } from "./names.js";
import type { RanCell, Script, Scripts } from "./scripts.js";
import type { Post } from "./session.js";

interface Breakpoint extends BreakpointRules {
  id: number;
  /** As it was asked for; lines and columns from 1. */
  line: number;
  column?: number;
  /** Its names in V8, one per script. */
  placed: string[];
  /** Where it really stands. */
  actual?: Point;
  /** Its rules cannot be compiled: it is never placed. */
  invalid?: string;
  /** Why it stands nowhere. */
  missing?: string;
}

const NO_STATEMENT = "There is no statement at or after this line.";
const TYPESCRIPT = /\.[cm]?tsx?$/;
const BEFORE_MAPPED_SCRIPT = "beforeScriptWithSourceMapExecution";

/** Whether a breakpoint is what is asked for. Whoever asks for hits anew has them counted anew. */
function isSame({ line, actual, column, ...rules }: Breakpoint, wanted: Json): boolean {
  const { condition, hitCondition, logMessage } = rules;
  const [given, asked] = [
    [column, condition, logMessage],
    [wanted.column, wanted.condition, wanted.logMessage],
  ];
  return (
    hitCondition === undefined &&
    wanted.hitCondition === undefined &&
    rules.invalid === undefined &&
    (wanted.line === line || (actual !== undefined && wanted.line === actual.line + 1)) &&
    given.every((value, i) => value === asked[i])
  );
}

export class Breakpoints {
  private readonly byPath = new Map<string, Breakpoint[]>();
  private instrumented: string | undefined;
  private nextId = 1;

  constructor(
    private readonly scripts: Scripts,
    private readonly post: Post,
    private readonly shadowed: () => Shadowed,
    private readonly changed: (breakpoint: DapBreakpoint) => void,
  ) {}

  /**
   * Replaces the breakpoints of one source. Those that stay the same are not touched: JupyterLab sends all of them again when a
   * cell was edited, and a cell that runs meanwhile must not find them missing.
   */
  async set(path: string, wanted: readonly Json[]): Promise<DapBreakpoint[]> {
    const left = new Set(this.byPath.get(path));
    const made = await Promise.all(
      wanted.map((one) => {
        const same = [...left].find((breakpoint) => isSame(breakpoint, one));
        if (same) left.delete(same);
        return same ?? this.make(one);
      }),
    );
    await this.remove([...left]);
    if (made.length > 0) this.byPath.set(path, made);
    else this.byPath.delete(path);
    await (isCellPath(path) ? this.placeInCells(path, made) : this.placeInFiles(path, made));
    await this.watchFiles();
    return made.map((breakpoint) => shown(breakpoint, path));
  }

  /** As `debugInfo` lists them. */
  list(): { source: string; breakpoints: Json[] }[] {
    return [...this.byPath].map(([source, breakpoints]) => ({
      source,
      breakpoints: breakpoints.map(({ line, column, actual, condition, hitCondition, logMessage }) => ({
        line: actual ? actual.line + 1 : line,
        ...defined({ column, condition, hitCondition, logMessage }),
      })),
    }));
  }

  /** Ids of the breakpoints that V8 says were hit. */
  hit(names: readonly string[]): number[] {
    return [...this.byPath.values()]
      .flat()
      .filter(({ placed }) => placed.some((name) => names.includes(name)))
      .map(({ id }) => id);
  }

  /** The cell is about to be evaluated: its breakpoints must stand when V8 parses it. */
  async beforeRun(cell: RanCell, path: string): Promise<void> {
    const breakpoints = this.byPath.get(path) ?? [];
    await this.find(cell.source, breakpoints);
    const mapping = cellMapping(cell, path);
    await Promise.all(
      // V8 would take the end of the cell for a place to stop.
      breakpoints
        .filter(({ missing }) => missing === undefined)
        .map((breakpoint) => this.place(breakpoint, { url: cell.name }, mapping, path, cell.shadows)),
    );
  }

  /** A script with a source map is about to run: it may be a file with breakpoints. */
  async beforeScript(script: Script): Promise<void> {
    const mapping = await this.scripts.mapping(script);
    for (const path of mapping.paths)
      for (const breakpoint of this.byPath.get(path) ?? []) {
        await this.place(breakpoint, { url: script.url }, mapping, path);
        this.changed(shown(breakpoint, path));
      }
  }

  /** V8 found the place of a breakpoint in a script that it has just parsed. */
  async resolved(name: string, location: Debugger.Location): Promise<void> {
    for (const [path, breakpoints] of this.byPath)
      for (const breakpoint of breakpoints)
        if (breakpoint.placed.includes(name)) {
          const line = breakpoint.actual?.line;
          await this.settle(breakpoint, location);
          if (breakpoint.actual?.line !== line) this.changed(shown(breakpoint, path));
        }
  }

  /** A fresh worker knows no breakpoint; those of cells come with the next run. */
  async renew(): Promise<void> {
    this.instrumented = undefined;
    for (const breakpoint of [...this.byPath.values()].flat()) breakpoint.placed = [];
    await this.watchFiles();
  }

  /** Where breakpoints can stand, between two lines that count from 1. */
  async possible(path: string, first: number, last: number): Promise<{ line: number; column?: number }[]> {
    const source = this.scripts.cellSource(path);
    const script =
      source === undefined ? (await this.scripts.scriptsOf(path)).at(-1) : this.scripts.ofCell(path);
    const within = ({ line }: { line: number }) => first <= line && line <= last;
    if (!script) {
      const lines = source === undefined ? [] : await breakableLines(source, this.shadowed());
      return (lines ?? []).map((line) => ({ line: line + 1 })).filter(within);
    }
    const { locations } = await this.post<Debugger.GetPossibleBreakpointsReturnType>(
      "Debugger.getPossibleBreakpoints",
      { start: { scriptId: script.id, lineNumber: 0, columnNumber: 0 } },
    );
    const mapping = await this.scripts.mapping(script);
    const points = locations
      .map(({ lineNumber, columnNumber }) =>
        mapping.toSource({ line: lineNumber, column: columnNumber ?? 0 }),
      )
      .filter((point) => point?.path === path)
      .map((point) => ({ line: point!.line + 1, column: point!.column + 1 }));
    return points.filter(within);
  }

  private async make(wanted: Json): Promise<Breakpoint> {
    const id = this.nextId++;
    const text = (name: string) => (typeof wanted[name] === "string" ? (wanted[name] as string) : undefined);
    const breakpoint: Breakpoint = {
      id,
      line: Number(wanted.line),
      placed: [],
      ...defined({
        column: typeof wanted.column === "number" ? wanted.column : undefined,
        condition: text("condition"),
        hitCondition: text("hitCondition"),
        logMessage: text("logMessage"),
      }),
    };
    try {
      await breakpointCondition(id, breakpoint, this.shadowed());
    } catch (error) {
      breakpoint.invalid = (error as Error).message;
    }
    return breakpoint;
  }

  private async remove(before: readonly Breakpoint[]): Promise<void> {
    const names = before.flatMap(({ placed }) => placed);
    await Promise.all(
      names.map((breakpointId) => this.post("Debugger.removeBreakpoint", { breakpointId }).catch(() => {})),
    );
    if (before.some(({ hitCondition }) => hitCondition))
      await this.post("Runtime.evaluate", {
        expression: `${RUNTIME}.debug.forget(${JSON.stringify(before.map(({ id }) => id))})`,
        silent: true,
      });
  }

  /** After a restart a front end may name a cell that this kernel has not seen: its breakpoints wait for its run. */
  private async placeInCells(path: string, breakpoints: Breakpoint[]): Promise<void> {
    const source = this.scripts.cellSource(path);
    if (source === undefined) return;
    await this.find(source, breakpoints);
    for (const cell of this.scripts.cellsOf(path)) await this.beforeRun(cell, path);
  }

  /** The statements of a cell at which its breakpoints stand, for those that are not found yet. */
  private async find(source: string, breakpoints: readonly Breakpoint[]): Promise<void> {
    const lost = breakpoints.filter(({ actual, missing }) => !actual && missing === undefined);
    if (lost.length === 0) return;
    const lines = await breakableLines(source, this.shadowed());
    for (const breakpoint of lost) {
      const line = lines?.find((candidate) => candidate >= breakpoint.line - 1);
      if (line !== undefined) breakpoint.actual = { line, column: 0 };
      else breakpoint.missing = lines ? NO_STATEMENT : "The cell has a syntax error.";
    }
  }

  private async placeInFiles(path: string, breakpoints: Breakpoint[]): Promise<void> {
    const scripts = await this.scripts.scriptsOf(path);
    for (const breakpoint of breakpoints) {
      for (const script of scripts)
        await this.place(breakpoint, { url: script.url }, await this.scripts.mapping(script), path);
      if (scripts.length === 0 && !TYPESCRIPT.test(path))
        await this.place(breakpoint, { urlRegex: urlPattern(path) }, plainMapping(path), path);
      if (!breakpoint.actual)
        breakpoint.missing = scripts.length === 0 ? "The file is not loaded yet." : NO_STATEMENT;
    }
  }

  /** While a file has breakpoints, V8 halts before it runs a script that has a source map. */
  private async watchFiles(): Promise<void> {
    const needed = [...this.byPath.keys()].some((path) => !isCellPath(path));
    if (needed && this.instrumented === undefined) {
      const reply = await this.post<{ breakpointId: string }>("Debugger.setInstrumentationBreakpoint", {
        instrumentation: BEFORE_MAPPED_SCRIPT,
      });
      this.instrumented = reply.breakpointId;
    } else if (!needed && this.instrumented !== undefined) {
      await this.post("Debugger.removeBreakpoint", { breakpointId: this.instrumented });
      this.instrumented = undefined;
    }
  }

  private async place(
    breakpoint: Breakpoint,
    script: { url: string } | { urlRegex: string },
    mapping: Mapping,
    path: string,
    shadows: readonly string[] = [],
  ): Promise<void> {
    if (breakpoint.invalid !== undefined) return;
    const from = { line: breakpoint.line - 1, column: (breakpoint.column ?? 1) - 1 };
    const code = mapping.toCode(from, path);
    if (!code) return;
    const shadowed = new Set([...this.shadowed(), ...shadows]);
    const condition = await breakpointCondition(breakpoint.id, breakpoint, shadowed);
    try {
      const { breakpointId, locations } = await this.post<Debugger.SetBreakpointByUrlReturnType>(
        "Debugger.setBreakpointByUrl",
        { lineNumber: code.line, columnNumber: code.column, condition, ...script },
      );
      breakpoint.placed.push(breakpointId);
      if (locations[0]) await this.settle(breakpoint, locations[0]);
    } catch (error) {
      // Two breakpoints of one line: the first one stands.
      if (!String(error).includes("already exists")) throw error;
    }
  }

  private async settle(breakpoint: Breakpoint, location: Debugger.Location): Promise<void> {
    const found = await this.scripts.locate(location.scriptId, {
      line: location.lineNumber,
      column: location.columnNumber ?? 0,
    });
    if (!found.mapped) return;
    breakpoint.actual = { line: found.point.line, column: found.point.column };
    breakpoint.missing = undefined;
  }
}

/** The file, also when it is loaded again because it changed; see `worker/imports.ts`. */
function urlPattern(path: string): string {
  return `^${pathToFileURL(path).href.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}(\\?.*)?$`;
}

function shown({ id, actual, line, invalid, missing }: Breakpoint, path: string): DapBreakpoint {
  const message = invalid ?? missing ?? (actual ? undefined : "The cell has not run in this kernel.");
  return {
    id,
    verified: message === undefined,
    line: actual ? actual.line + 1 : line,
    source: { name: basename(path), path },
    ...defined({ message }),
  };
}

function defined<T extends object>(fields: T): Partial<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<T>;
}
