/** Positions of evaluated code and of the reader's source, both ways. Lines and columns count from 0 here. */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import {
  allGeneratedPositionsFor,
  LEAST_UPPER_BOUND,
  originalPositionFor,
  sourceContentFor,
  TraceMap,
} from "@jridgewell/trace-mapping";
import { type Shift, unshift } from "../compile/edits.js";

export interface Point {
  line: number;
  column: number;
}

export interface SourcePoint extends Point {
  /** Path of the file, where a script has more than one. */
  path: string;
}

/** How far down a breakpoint looks for a line that has code. */
const SEARCHED_LINES = 50;

export interface Mapping {
  /** Paths of the sources. */
  readonly paths: readonly string[];
  /** `undefined` for code that no source line stands for. */
  toSource(point: Point): SourcePoint | undefined;
  /** The first code that stands for the source from `point` on. */
  toCode(point: Point, path: string): Point | undefined;
  /** Text of the source, if the map carries it. */
  content(path: string): string | undefined;
}

/** A script that is its own source. */
export function plainMapping(path: string): Mapping {
  return {
    paths: [path],
    toSource: (point) => ({ ...point, path }),
    toCode: (point) => point,
    content: () => undefined,
  };
}

export interface MappedCell {
  source: string;
  map?: string;
  shifts: readonly Shift[];
}

/** The map of a cell: first the transpiler's, then the moves of columns within a line. */
export function cellMapping(cell: MappedCell, path: string): Mapping {
  const lines = cell.source.split("\n").length;
  const trace = cell.map ? new TraceMap(cell.map) : undefined;
  return {
    paths: [path],
    toSource({ line, column }) {
      const before = unshift(cell.shifts, line, column);
      if (!trace) return line < lines ? { line, column: before, path } : undefined;
      const found = originalPositionFor(trace, { line: line + 1, column: before });
      return found.line === null ? undefined : { line: found.line - 1, column: found.column, path };
    },
    toCode(point) {
      const code = trace ? generated(trace, point, trace.sources[0] ?? "") : point;
      return code && { line: code.line, column: shifted(cell.shifts, code) };
    },
    content: () => cell.source,
  };
}

/** The map that a file names in its `sourceMappingURL`. @returns `undefined` when there is none to read. */
export async function fileMapping(url: string, mapUrl: string): Promise<Mapping | undefined> {
  try {
    const target = new URL(mapUrl, url);
    const text =
      target.protocol === "data:"
        ? await (await fetch(target)).text()
        : await readFile(fileURLToPath(target), "utf8");
    const trace = new TraceMap(text, target.protocol === "data:" ? url : target.href);
    return traceMapping(trace);
  } catch {
    return undefined;
  }
}

function traceMapping(trace: TraceMap): Mapping {
  const byPath = new Map<string, string>();
  for (const source of trace.resolvedSources) if (source) byPath.set(pathOf(source), source);
  return {
    paths: [...byPath.keys()],
    toSource({ line, column }) {
      const found = originalPositionFor(trace, { line: line + 1, column });
      if (found.line === null) return undefined;
      return { line: found.line - 1, column: found.column, path: pathOf(found.source ?? "") };
    },
    toCode: (point, path) => generated(trace, point, byPath.get(path) ?? path),
    content: (path) => sourceContentFor(trace, byPath.get(path) ?? path) ?? undefined,
  };
}

export function pathOf(url: string): string {
  return url.startsWith("file:") ? fileURLToPath(url.replace(/[?#].*$/, "")) : url;
}

function generated(trace: TraceMap, point: Point, source: string): Point | undefined {
  for (let line = point.line; line < point.line + SEARCHED_LINES; line++) {
    const [first] = allGeneratedPositionsFor(trace, {
      source,
      line: line + 1,
      column: line === point.line ? point.column : 0,
      bias: LEAST_UPPER_BOUND,
    })
      .filter((found) => found.line !== null)
      .map((found) => ({ line: found.line - 1, column: found.column }))
      .sort((a, b) => a.line - b.line || a.column - b.column);
    if (first) return first;
  }
  return undefined;
}

/** The reverse of `unshift`: the column after the edits, of a column before them. */
export function shifted(shifts: readonly Shift[], { line, column }: Point): number {
  let moved = 0;
  for (const shift of shifts)
    if (shift.line === line && shift.column - (moved + shift.shift) <= column) moved += shift.shift;
  return column + moved;
}
