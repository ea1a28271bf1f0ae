/** The requests of the protocol as a table: the adapter's side of each is one function. */
import type { Runtime } from "node:inspector";
import { extname } from "node:path";
import { RUNTIME } from "../compile/scope.js";
import type { Json } from "../protocol/message.js";
import { CAPABILITIES, DapError, type DapVariable, THREAD } from "./dap.js";
import type { ExceptionMode } from "./exceptions.js";
import { compileCode, compileExpression, type Shadowed } from "./expressions.js";
import type { DebugSession } from "./session.js";
import { isIdentifier } from "./values.js";

/** As JupyterLab's editor names the languages. */
const MIME_TYPES: Readonly<Record<string, string>> = {
  ".ts": "application/typescript",
  ".mts": "application/typescript",
  ".cts": "application/typescript",
  ".tsx": "text/typescript-jsx",
  ".js": "text/javascript",
};

export interface CommandContext {
  readonly session: DebugSession;
  shadowed(): Shadowed;
  /** Later cells may use names that TypeScript has not seen in a cell. */
  declare(text: string): void;
  /** Called with an event that is to follow the response. */
  after(event: string, body: Json): void;
}

/** @returns the response's body. */
export type Command = (args: Json, context: CommandContext) => Promise<Json | undefined> | Json | undefined;

export const COMMANDS: Readonly<Record<string, Command>> = {
  initialize: async (args, { session }) => {
    session.showsTypes = args.clientID !== "jupyterlab";
    await session.enable();
    return { ...CAPABILITIES };
  },
  attach: (_args, { after }) => {
    after("initialized", {});
    return {};
  },
  launch: (_args, { after }) => {
    after("initialized", {});
    return {};
  },
  configurationDone: () => ({}),

  dumpCell: (args, { session }) => ({ sourcePath: session.scripts.dump(text(args, "code")) }),
  setBreakpoints: async (args, { session }) => ({
    breakpoints: await session.breakpoints.set(
      sourcePath(args),
      list(args.breakpoints ?? linesOf(args.lines)),
    ),
  }),
  breakpointLocations: async (args, { session }) => {
    const first = numeric(args, "line", 1);
    return {
      breakpoints: await session.breakpoints.possible(
        sourcePath(args),
        first,
        numeric(args, "endLine", first),
      ),
    };
  },
  setExceptionBreakpoints: async (args, { session }) => {
    const filters = [
      ...(Array.isArray(args.filters) ? args.filters : []),
      ...list(args.filterOptions).map(({ filterId }) => filterId),
    ];
    const modes: ExceptionMode[] = ["all", "uncaught"];
    await session.setExceptionMode(modes.find((mode) => filters.includes(mode)) ?? "none");
    return { breakpoints: filters.map((filter) => ({ verified: modes.includes(filter as ExceptionMode) })) };
  },
  exceptionInfo: (_args, { session }) => exceptionInfo(session),

  threads: () => ({ threads: [{ ...THREAD }] }),
  stackTrace: async (args, { session }) => {
    const frames = (await session.stop?.stackFrames()) ?? [];
    const start = numeric(args, "startFrame", 0);
    const levels = numeric(args, "levels", 0) || frames.length;
    return { stackFrames: frames.slice(start, start + levels), totalFrames: frames.length };
  },
  scopes: (args, { session }) => ({ scopes: session.needsStop.scopes(numeric(args, "frameId", 0)) }),
  variables: async (args, { session }) => {
    const variables = await session.variables.list(
      numeric(args, "variablesReference", 0),
      numeric(args, "start", 0),
      numeric(args, "count", 0),
      typeof args.filter === "string" ? args.filter : undefined,
    );
    return { variables: shown(variables, session) };
  },
  setVariable: async (args, { session, shadowed }) => {
    const frame = session.stop?.callFrame();
    const value = await session.evaluate(await compileExpression(text(args, "value"), shadowed()), frame);
    return {
      ...(await session.variables.set(numeric(args, "variablesReference", 0), text(args, "name"), value)),
    };
  },
  setExpression: async (args, { session, shadowed }) => {
    const [target, value] = [text(args, "expression"), text(args, "value")];
    const code = await compileExpression(`${target} = (${value})`, shadowed());
    return { ...(await session.variables.show(await session.evaluate(code, frameOf(args, session)))) };
  },
  evaluate: async (args, context) => {
    const { session } = context;
    const expression = text(args, "expression");
    const frame = frameOf(args, session);
    const code = await compileCode(expression, context.shadowed());
    const result = await session.evaluate(code, frame, { harmless: args.context === "hover" });
    if (!frame) context.declare(expression);
    const shown = await session.variables.show(result, isPath(expression) ? expression.trim() : undefined);
    const { value, ...rest } = shown;
    return { result: value, ...rest };
  },

  continue: async (_args, { session }) => {
    await session.needsStop;
    await session.resume();
    return { allThreadsContinued: true };
  },
  next: step("next"),
  stepIn: step("stepIn"),
  stepOut: step("stepOut"),
  pause: async (_args, { session }) => {
    await session.pause();
    return {};
  },

  source: async (args, { session }) => {
    const { path, sourceReference } = (args.source ?? {}) as Json;
    const reference = Number(args.sourceReference ?? sourceReference ?? 0);
    const content = await session.scripts.text(String(path ?? ""), reference);
    return { content, mimeType: MIME_TYPES[extname(String(path ?? ""))] ?? MIME_TYPES[".js"] };
  },
  loadedSources: async (_args, { session }) => ({
    sources: [...session.scripts.cellSources(), ...(await session.scripts.files())],
  }),
  modules: async (args, { session }) => {
    const all = (await session.scripts.files()).map(({ path }, id) => ({ id, name: shortPath(path), path }));
    const start = numeric(args, "startModule", 0);
    const count = numeric(args, "moduleCount", 0) || all.length;
    return { modules: all.slice(start, start + count), totalModules: all.length };
  },

  inspectVariables: async (_args, { session }) => {
    if (!session.stop) await session.releaseIdle();
    return { variables: shown(await session.variables.list(session.variables.globals(), 0, 0), session) };
  },
  richInspectVariables: richInspect,
  copyToGlobals: async (args, { session, shadowed, declare }) => {
    const [source, target] = [text(args, "srcVariableName"), text(args, "dstVariableName")];
    if (!isIdentifier(source) || !isIdentifier(target))
      throw new DapError(`"${source}" and "${target}" must be names of variables.`);
    const frame = session.needsStop.callFrame(numeric(args, "srcFrameId", 0));
    const value = await compileExpression(source, shadowed());
    await session.evaluate(`${RUNTIME}.debug.assign(${JSON.stringify(target)}, ${value})`, frame);
    declare(`var ${target}: any;`);
    return {};
  },
};

function step(kind: "next" | "stepIn" | "stepOut"): Command {
  return async (_args, { session }) => {
    await session.step(kind);
    return {};
  };
}

/** The value as its cell would show it. Names that no expression leads to have nothing to show. */
async function richInspect(args: Json, { session, shadowed }: CommandContext): Promise<Json> {
  const name = text(args, "variableName");
  if (!isPath(name)) return { data: {}, metadata: {} };
  const code = await compileExpression(name, shadowed());
  const frame = session.stop ? frameOf(args, session) : undefined;
  const data = await session.valueOf(
    `${RUNTIME}.debug.bundle(${code}, ${session.stop !== undefined})`,
    frame,
  );
  return { data, metadata: {} };
}

/** With its folder: libraries have many files of one name. */
function shortPath(path: string): string {
  return path.split(/[\\/]/).slice(-2).join("/");
}

function shown(variables: DapVariable[], session: DebugSession): Partial<DapVariable>[] {
  return session.showsTypes ? variables : variables.map(({ type: _, ...rest }) => rest);
}

function exceptionInfo(session: DebugSession): Json {
  const { exception } = session.needsStop;
  if (!exception) throw new DapError("The code is not paused at an exception.");
  const description = exception.description ?? String(exception.value);
  return {
    exceptionId: exception.className ?? exception.type,
    description: description.split("\n    at ")[0],
    breakMode: session.exceptions.mode === "all" ? "always" : "unhandled",
    details: {
      typeName: exception.className ?? exception.type,
      message: description.split("\n    at ")[0],
      stackTrace: description,
    } satisfies Record<string, Runtime.RemoteObject["description"]>,
  };
}

function frameOf(args: Json, session: DebugSession) {
  return typeof args.frameId === "number" ? session.needsStop.callFrame(args.frameId) : undefined;
}

/** `name.member[0]`: what may be read again and again. */
function isPath(expression: string): boolean {
  return /^[\p{ID_Continue}$\s]+(\.[#\p{ID_Continue}$]+|\[(\d+|"[^"]*")\])*$/u.test(expression.trim());
}

function sourcePath(args: Json): string {
  const { path } = (args.source ?? {}) as Json;
  if (typeof path !== "string") throw new DapError("The source has no path.");
  return path;
}

function linesOf(lines: unknown): Json[] {
  return Array.isArray(lines) ? lines.map((line) => ({ line })) : [];
}

function list(value: unknown): Json[] {
  return Array.isArray(value) ? (value as Json[]) : [];
}

function text(args: Json, name: string): string {
  const value = args[name];
  if (typeof value !== "string")
    throw new DapError(`The argument "${name}" is ${JSON.stringify(value)}, expected text.`);
  return value;
}

function numeric(args: Json, name: string, otherwise: number): number {
  const value = args[name];
  return typeof value === "number" && Number.isFinite(value) ? value : otherwise;
}
