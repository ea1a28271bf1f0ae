/** What a launch file says: which nodes run with which names, parameters and remaps, and what follows on what. */
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { ValueError } from "../../../core/errors.js";

/** A parameter's value; nested objects are parameters with dots in their names. */
export type LaunchParameter =
  | boolean
  | number
  | bigint
  | string
  | readonly (boolean | number | bigint | string)[]
  | { readonly [name: string]: LaunchParameter };
export type LaunchParameters = Readonly<Record<string, LaunchParameter>>;

/** What a group gives to all in it, and a node to itself. */
export interface LaunchScope {
  /** Put before the names of its nodes, unless theirs start with "/". */
  readonly namespace?: string;
  readonly parameters?: LaunchParameters;
  /** Files of parameters in ROS's YAML; later ones win, and `parameters` over them. */
  readonly parameterFiles?: readonly string[];
  /** From name to name. */
  readonly remap?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
}

interface ProcessOptions {
  /** Arguments for the program itself. */
  readonly args?: readonly string[];
  readonly cwd?: string;
  /** Start again when it ends, however it ended. Default false. */
  readonly respawn?: boolean;
  /** Seconds before it is started again. Default 0. */
  readonly respawnDelay?: number;
  /** Most times that it is started again. Default `Infinity`. */
  readonly maxRespawns?: number;
  /** When it ends, all end. Default false. */
  readonly required?: boolean;
}

export interface NodeProcessOptions extends LaunchScope, ProcessOptions {
  /** The script, JavaScript or TypeScript; relative paths start at the launch file's folder. */
  readonly script: string | URL;
  /** The node's name, for that which the script gives. */
  readonly name?: string;
  /** A managed node, brought to this state once it is there. */
  readonly lifecycle?: "inactive" | "active";
}

export interface ExecuteOptions extends ProcessOptions {
  /** The program, found as a shell finds it. */
  readonly command: string;
  /** For output and messages. Default: the command. */
  readonly name?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** How a process ended. */
export interface ExitEvent {
  readonly name: string;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}
export interface StartEvent {
  readonly name: string;
  readonly pid: number;
}

export interface NodeAction {
  readonly kind: "node";
  readonly options: NodeProcessOptions;
}
export interface ExecuteAction {
  readonly kind: "execute";
  readonly options: ExecuteOptions;
}
export type ProcessAction = NodeAction | ExecuteAction;
/** What a launch file's function returns a list of; nothing, false and null are left out, so that `&&` is of use. */
export type LaunchAction =
  | ProcessAction
  | { readonly kind: "group"; readonly scope: LaunchScope; readonly actions: readonly LaunchItem[] }
  | {
      readonly kind: "onStart";
      readonly target: ProcessAction;
      readonly then: (event: StartEvent) => LaunchItems;
    }
  | {
      readonly kind: "onExit";
      readonly target: ProcessAction;
      readonly then: (event: ExitEvent) => LaunchItems;
    }
  | { readonly kind: "onShutdown"; readonly then: (reason: string) => void | Promise<void> }
  | { readonly kind: "timer"; readonly seconds: number; readonly then: () => LaunchItems }
  | {
      readonly kind: "include";
      readonly description: LaunchDescription;
      readonly args: Readonly<Record<string, string>>;
    }
  | { readonly kind: "log"; readonly text: string }
  | { readonly kind: "shutdown"; readonly reason: string };
export type LaunchItem = LaunchAction | false | null | undefined;
/** What a handler returns: actions that are taken then. */
// biome-ignore lint/suspicious/noConfusingVoidType: a handler that returns nothing is one that takes no action
export type LaunchItems = readonly LaunchItem[] | LaunchItem | void;

/** An argument that a launch file takes. */
export interface LaunchArgument {
  readonly description?: string;
  /** Without it the argument must be given. */
  readonly default?: string;
  readonly choices?: readonly string[];
}
export interface LaunchContext {
  /** Arguments, `name:=value` on the command line. */
  readonly args: Readonly<Record<string, string>>;
}
export type LaunchBody = (context: LaunchContext) => readonly LaunchItem[] | Promise<readonly LaunchItem[]>;

export interface LaunchDescription {
  readonly kind: "launch";
  /** Null: any are taken. */
  readonly declared: Readonly<Record<string, LaunchArgument>> | null;
  readonly body: LaunchBody;
}

function describe(body: LaunchBody): LaunchDescription;
function describe(declared: Readonly<Record<string, LaunchArgument>>, body: LaunchBody): LaunchDescription;
function describe(
  first: LaunchBody | Readonly<Record<string, LaunchArgument>>,
  body?: LaunchBody,
): LaunchDescription {
  if (typeof first === "function") return { kind: "launch", declared: null, body: first };
  if (!body) throw new ValueError("launch: a function that returns what to start is expected");
  return { kind: "launch", declared: first, body };
}

/**
 * A launch file's default export: what to start. The first argument may declare the file's arguments.
 * @example
 * // in robot.launch.ts: export default …; then npx mlsys launch robot.launch.ts rate:=5
 * const description = ros.launch({ rate: { default: "1.0", description: "messages per second" } }, ({ args }) => [
 *   ros.launch.node({ script: "talker.ts", parameters: { rate: Number(args.rate) }, respawn: true }),
 *   ros.launch.group({ namespace: "robot1" }, [ros.launch.node({ script: "listener.ts", required: true })]),
 * ]);
 * description.kind // "launch"
 */
export const launch = Object.assign(describe, {
  /** A script with nodes, as a process of its own. */
  node: (options: NodeProcessOptions): NodeAction => ({ kind: "node", options }),
  /** Any program, such as a node in Python. */
  execute: (options: ExecuteOptions): ExecuteAction => ({ kind: "execute", options }),
  /** Namespace, parameters, remaps and environment for all in it. */
  group: (scope: LaunchScope, actions: readonly LaunchItem[]): LaunchAction => ({
    ...{ kind: "group", scope, actions },
  }),
  /** After each start of a process: takes the actions that `then` returns. */
  onStart: (target: ProcessAction, then: (event: StartEvent) => LaunchItems): LaunchAction => ({
    ...{ kind: "onStart", target, then },
  }),
  /** After each end of a process, however it ended: takes the actions that `then` returns. */
  onExit: (target: ProcessAction, then: (event: ExitEvent) => LaunchItems): LaunchAction => ({
    ...{ kind: "onExit", target, then },
  }),
  /** When all are about to be ended. */
  onShutdown: (then: (reason: string) => void | Promise<void>): LaunchAction => ({
    kind: "onShutdown",
    then,
  }),
  /** After so many seconds, once. */
  timer: (seconds: number, then: () => LaunchItems): LaunchAction => ({ kind: "timer", seconds, then }),
  /** All of another launch file, with arguments of its own. */
  include: (description: LaunchDescription, args: Readonly<Record<string, string>> = {}): LaunchAction => ({
    ...{ kind: "include", description, args },
  }),
  /** A line of the launcher's. */
  log: (text: string): LaunchAction => ({ kind: "log", text }),
  /** Ends all. */
  shutdown: (reason = "asked to"): LaunchAction => ({ kind: "shutdown", reason }),
});

/**
 * The arguments that a launch file gets: those given, and defaults.
 * @throws ValueError that lists what can be given
 */
export function resolveArguments(
  { declared }: LaunchDescription,
  given: Readonly<Record<string, string>>,
): Record<string, string> {
  if (declared === null) return { ...given };
  const names = Object.keys(declared);
  const unknown = Object.keys(given).filter((name) => !names.includes(name));
  if (unknown.length > 0)
    throw new ValueError(
      `launch: no argument "${unknown[0]}"; there ${names.length === 0 ? "are none" : `is ${names.join(", ")}`}`,
    );
  const values: Record<string, string> = {};
  for (const [name, { default: fallback, choices, description }] of Object.entries(declared)) {
    const value = given[name] ?? fallback;
    if (value === undefined)
      throw new ValueError(
        `launch: argument "${name}" is needed${description ? ` (${description})` : ""}: ${name}:=…`,
      );
    if (choices && !choices.includes(value))
      throw new ValueError(`launch: argument "${name}" is "${value}"; one of ${choices.join(", ")} expected`);
    values[name] = value;
  }
  return values;
}

/** A group within a group, or a node in one. */
export function nestScopes(outer: LaunchScope, inner: LaunchScope): LaunchScope {
  return {
    namespace: joinNamespaces(outer.namespace, inner.namespace),
    parameters: { ...outer.parameters, ...inner.parameters },
    parameterFiles: [...(outer.parameterFiles ?? []), ...(inner.parameterFiles ?? [])],
    remap: { ...outer.remap, ...inner.remap },
    env: { ...outer.env, ...inner.env },
  };
}

function joinNamespaces(outer: string | undefined, inner: string | undefined): string | undefined {
  if (inner === undefined || inner.startsWith("/")) return inner ?? outer;
  const parts = [...(outer ?? "").split("/"), ...inner.split("/")].filter((part) => part !== "");
  return `/${parts.join("/")}`;
}

/** The words by which ROS programs are told names, remaps and parameters: from `--ros-args` on. */
export function rosArguments(scope: LaunchScope, name: string | undefined, folder: string): string[] {
  const words: string[] = [];
  const rule = (from: string, to: string) => words.push("-r", `${from}:=${to}`);
  if (name !== undefined) rule("__node", name);
  if (scope.namespace !== undefined) rule("__ns", scope.namespace);
  for (const [from, to] of Object.entries(scope.remap ?? {})) rule(from, to);
  for (const file of scope.parameterFiles ?? []) words.push("--params-file", resolve(folder, file));
  for (const [path, value] of flatParameters(scope.parameters ?? {})) words.push("-p", `${path}:=${value}`);
  return words.length === 0 ? [] : ["--ros-args", ...words];
}

/** Names with dots, and values as YAML. */
function* flatParameters(parameters: LaunchParameters, prefix = ""): Generator<[string, string]> {
  for (const [name, value] of Object.entries(parameters))
    if (typeof value === "object" && !Array.isArray(value))
      yield* flatParameters(value as LaunchParameters, `${prefix}${name}.`);
    else yield [prefix + name, yamlOf(value as Exclude<LaunchParameter, LaunchParameters>)];
}

function yamlOf(value: Exclude<LaunchParameter, LaunchParameters>): string {
  if (Array.isArray(value)) return `[${value.map(yamlOf).join(", ")}]`;
  if (typeof value === "string") return JSON.stringify(value); // YAML's double quotes are JSON's
  if (typeof value === "number" && !Number.isFinite(value))
    return Number.isNaN(value) ? ".nan" : value > 0 ? ".inf" : "-.inf";
  return String(value);
}

/** The path of a script. */
export const scriptPath = (script: string | URL, folder: string): string =>
  script instanceof URL || script.startsWith("file:") ? fileURLToPath(script) : resolve(folder, script);

export const folderOf = (file: string | URL): string => dirname(scriptPath(file, process.cwd()));
