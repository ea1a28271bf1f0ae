/**
 * Brings positions in evaluated code back to the reader's own lines, and keeps the kernel's frames out of
 * every stack, by `Error.prepareStackTrace`: `error.stack` is right wherever it is read or printed.
 */
import { findSourceMap, SourceMap } from "node:module";
import { fileURLToPath } from "node:url";
import { type Shift, unshift } from "../compile/edits.js";

export interface Script {
  name: string;
  source: string;
  map?: string;
  shifts: readonly Shift[];
  /** How columns moved before the transpiler, by magics. */
  inserted?: readonly Shift[];
}

export interface Position {
  script: Script;
  /** Both from 1. */
  line: number;
  column: number;
}

const scripts = new Map<string, Script & { parsed?: SourceMap }>();
const MAX_SCRIPTS = 2_000;

/** Remembers a script under the name it is evaluated as. The oldest are forgotten. */
export function addScript(script: Script): void {
  scripts.delete(script.name);
  scripts.set(script.name, script);
  if (scripts.size > MAX_SCRIPTS) scripts.delete(scripts.keys().next().value!);
}

/** Texts of the cells, as far as they are remembered. */
export function scriptSources(): string[] {
  return [...scripts.values()].map(({ source }) => source);
}

/** @param line from 1. @param column from 1. */
export function originalPosition(name: string, line: number, column: number): Position | undefined {
  const script = scripts.get(name);
  if (!script) return undefined;
  const before = unshift(script.shifts, line - 1, column - 1);
  if (!script.map) return { script, line, column: 1 + unshift(script.inserted ?? [], line - 1, before) };
  script.parsed ??= new SourceMap(JSON.parse(script.map));
  const entry = script.parsed.findEntry(line - 1, before);
  if (!("originalLine" in entry)) return { script, line, column: before + 1 };
  const { originalLine, originalColumn } = entry;
  return {
    script,
    line: originalLine + 1,
    column: 1 + unshift(script.inserted ?? [], originalLine, originalColumn),
  };
}

const KERNEL_DIRECTORY = fileURLToPath(new URL("..", import.meta.url));
const KERNEL_URL = new URL("..", import.meta.url).href;

/** Positions in cells of each error's stack, top first, for the code frame of a traceback. */
const framesOf = new WeakMap<object, Position[]>();

/** Reading `stack` first makes V8 call `prepareStackTrace`. */
export function cellFrames(error: object): Position[] {
  void (error as { stack?: unknown }).stack;
  return framesOf.get(error) ?? [];
}

export function installStackTraces(): void {
  Error.prepareStackTrace = (error, sites) => {
    const frames: Position[] = [];
    const lines: string[] = [];
    for (const site of sites) {
      const file = site.getFileName() || site.getScriptNameOrSourceURL() || "";
      // Everything below the evaluation is the kernel's.
      if (file === "node:inspector") break;
      if (isKernelFile(file) || file === "node:internal/process/task_queues") continue;
      const position = originalPosition(file, site.getLineNumber() ?? 0, site.getColumnNumber() ?? 0);
      if (!position) {
        lines.push(`    at ${mappedFile(site, file)}`);
        continue;
      }
      frames.push(position);
      lines.push(`    at ${frameText(site, position)}`);
    }
    while (lines.length > 0 && /\(?node:internal\//.test(lines[lines.length - 1]!)) lines.pop();
    // The inspector asks a second time, without call sites, when it describes the error.
    if (frames.length > 0) framesOf.set(error, frames);
    return [heading(error), ...lines].join("\n");
  };
}

function frameText(site: NodeJS.CallSite, { script, line, column }: Position): string {
  const place = `${script.name}:${line}:${column}`;
  const call = site.toString();
  const open = call.lastIndexOf(" (");
  const caller = open > 0 && call.endsWith(")") ? call.slice(0, open) : "";
  return caller && !caller.includes("<anonymous>") ? `${caller} (${place})` : place;
}

/** A frame in a file of the reader's that was transpiled when it was imported. */
function mappedFile(site: NodeJS.CallSite, file: string): string {
  const text = site.toString();
  const [line, column] = [site.getLineNumber(), site.getColumnNumber()];
  if (!/\.[cm]?tsx?(\?|$)/.test(file) || line === null || column === null) return text;
  const entry = findSourceMap(file)?.findEntry(line - 1, column - 1);
  if (!entry || !("originalLine" in entry)) return text;
  const place = `${file}:${line}:${column}`;
  return text.replace(place, `${file}:${entry.originalLine + 1}:${entry.originalColumn + 1}`);
}

function heading(error: unknown): string {
  try {
    return Error.prototype.toString.call(error);
  } catch {
    return "Error";
  }
}

export function isKernelFile(file: string): boolean {
  return file.startsWith(KERNEL_URL) || (file.startsWith(KERNEL_DIRECTORY) && !file.includes("node_modules"));
}
