/** The worker's side of magics: calls that `compile/magics.ts` put into the cell, and the context that they work with. */
import { spawn as start } from "node:child_process";
import { constants } from "node:os";
import { relative } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { inspect } from "node:util";
import { cellTitle } from "../compile/code-frame.js";
import { SHADOW_PREFIX } from "../compile/shadow.js";
import type { MagicContext, SpawnOptions } from "../magics/magic.js";
import { publish } from "./display.js";
import { NOTEBOOK } from "./imports.js";
import { confirm } from "./input.js";
import { send } from "./link.js";
import { addPayload } from "./payload.js";
import { isKernelFile, originalPosition, scriptSources } from "./positions.js";
import { currentRun, NO_RUN, whenAbandoned, withRun } from "./runs.js";
import { write } from "./streams.js";

type End = () => Promise<void> | void;

/** How long an interrupted program may take before it is killed. */
const GRACE_MS = 1_000;

/** What was begun in a cell and not ended yet, by run. */
const open = new Map<number, End[]>();
const children = new Set<number>();

export const magics = {
  async run(name: string, args: string, body = "", code?: () => unknown): Promise<void> {
    const magic = await find(name);
    await magic.run!(makeContext(args, body, code));
  },
  async begin(name: string, args: string): Promise<void> {
    const magic = await find(name);
    const run = currentRun();
    const end = await magic.around!(makeContext(args, "", undefined));
    open.set(run, [...(open.get(run) ?? []), end]);
  },
  async end(run = currentRun()): Promise<void> {
    const ends = open.get(run);
    const last = ends?.pop();
    if (!ends?.length) open.delete(run);
    await last?.();
  },
};

/** Ends what is still open when the cell is over. */
export async function endMagics(run: number): Promise<void> {
  while (open.has(run)) await withRun(run, () => magics.end(run));
}

/** Ends the programs that cells have started. */
export function endPrograms(): void {
  for (const pid of children) signal(pid, "SIGKILL");
}

async function find(name: string) {
  const { magicNamed } = await import("../magics/table.js");
  return magicNamed(name);
}

function makeContext(args: string, body: string, code: (() => unknown) | undefined): MagicContext {
  const run = currentRun();
  const inRun = <T>(work: () => T): T => withRun(run, work);
  return {
    args,
    body,
    code,
    notebook: NOTEBOOK,
    print: (text, stream = "stdout") => inRun(() => write(stream, text)),
    show: (bundle) => publish(bundle, {}, run),
    spawn: (program, list, options) => runProgram(program, list, options ?? {}, run),
    confirm: (question) => inRun(() => confirm(question)),
    variables,
    cells: scriptSources,
    brief,
    replaceCell: (text) => inRun(() => addPayload({ source: "set_next_input", text, replace: true })),
    packagesChanged: () => send({ type: "packages" }),
    place,
  };
}

function runProgram(
  program: string,
  args: readonly string[],
  options: SpawnOptions,
  run: number,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const group = process.platform !== "win32";
    const child = start(program, args, {
      cwd: options.cwd ?? process.cwd(),
      shell: options.shell ?? false,
      stdio: ["ignore", "pipe", "pipe"],
      // A group of its own: an interrupt reaches what the program has started too.
      detached: group,
    });
    const { pid } = child;
    if (pid !== undefined) children.add(pid);
    const forget = whenAbandoned(run, () => {
      if (pid === undefined) return;
      signal(pid, "SIGINT");
      withRun(NO_RUN, () => setTimeout(() => children.has(pid) && signal(pid, "SIGKILL"), GRACE_MS).unref());
    });
    for (const name of ["stdout", "stderr"] as const) {
      child[name].setEncoding("utf8");
      if (name === "stdout" && options.line) createInterface(child.stdout).on("line", options.line);
      else child[name].on("data", (text: string) => withRun(run, () => write(name, text)));
    }
    const done = (): void => {
      forget();
      if (pid !== undefined) children.delete(pid);
    };
    child.on("error", (error) => {
      done();
      reject(error);
    });
    child.on("close", (code, name) => {
      done();
      resolve(code ?? 128 + (name ? constants.signals[name] : 0));
    });
  });
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(process.platform === "win32" ? pid : -pid, name);
  } catch {
    // It has ended meanwhile.
  }
}

const before = new Set<string>();

/** What is on the global object before the first cell is not the reader's. */
export function rememberGlobals(): void {
  for (const name of Object.getOwnPropertyNames(globalThis)) before.add(name);
}

function variables(): [string, unknown][] {
  // The transpiler declares helpers beside the reader's names: only what stands in a cell is shown.
  const written = new Set<string>();
  for (const source of scriptSources())
    for (const [name] of source.matchAll(/[\p{ID_Start}$_][\p{ID_Continue}$]*/gu)) written.add(name);
  const found: [string, unknown][] = [];
  for (const name of Object.getOwnPropertyNames(globalThis)) {
    const own = name.startsWith(SHADOW_PREFIX) ? name.slice(SHADOW_PREFIX.length) : name;
    if (before.has(name) || !written.has(own)) continue;
    found.push([own, (globalThis as Record<string, unknown>)[name]]);
  }
  return found.sort(([a], [b]) => (a < b ? -1 : 1));
}

const BRIEF = 80;

function brief(value: unknown): string {
  try {
    const text = inspect(value, {
      depth: 1,
      breakLength: Infinity,
      maxArrayLength: 8,
      maxStringLength: BRIEF,
    });
    const line = text.replace(/\s*\n\s*/g, " ");
    return line.length > BRIEF ? `${line.slice(0, BRIEF)}…` : line;
  } catch {
    return "[value that cannot be shown]";
  }
}

function place(url: string, line: number, column: number): string | undefined {
  if (url === "" || url.startsWith("node:")) return url;
  const position = originalPosition(url, line, column);
  if (position) return `${cellTitle(url)}:${position.line}`;
  if (isKernelFile(url)) return undefined;
  if (!url.startsWith("file:")) return `${url}:${line}`;
  return `${relative(NOTEBOOK, fileURLToPath(url.split("?")[0]!))}:${line}`;
}
