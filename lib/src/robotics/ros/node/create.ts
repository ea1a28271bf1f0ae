/** Creating nodes: options of the program, arguments of the command line, and what carries the messages. */
import type { RosHost } from "../host.js";
import { type HostKind, rosHost } from "../select.js";
import { parseRosArguments } from "./arguments.js";
import { defaultExecutor, type Executor } from "./executor.js";
import type { LogRecord } from "./logger.js";
import { fullNamespace, validateNodeName } from "./names.js";
import { type CallbackFailure, Node } from "./node.js";
import { parametersFor } from "./parameter-file.js";
import type { ParameterInput } from "./parameter-value.js";
import { Typed } from "./parameters.js";
import { parseRemapRule, remapNode, remapRule } from "./remap.js";
import { machineTime, type TimeBase } from "./time-base.js";

export interface NodeOptions {
  /** `robot`, `/robot/arm`; default the root. */
  readonly namespace?: string;
  /** What carries messages: a host or its kind; default the environment's `MLSYS_ROS`, else the in-process graph. */
  readonly host?: RosHost | HostKind;
  /** Nodes of different domains never meet; default the environment's `ROS_DOMAIN_ID`, else 0. */
  readonly domain?: number;
  /** Who runs the callbacks; default the one that spins by itself, `null` nobody until an executor adds the node. */
  readonly executor?: Executor | null;
  /** Values of parameters that the node will declare. They win over those of the command line and of files. */
  readonly parameters?: Readonly<Record<string, ParameterInput>>;
  /** `{ camera_topic: "image_raw" }`, `__node` and `__ns` too, or rules as `["camera_topic:=image_raw"]`. */
  readonly remap?: Readonly<Record<string, string>> | readonly string[];
  /** Arguments for this node, as `["--ros-args", "-p", "name:=ROS2", "--params-file", "robot.yaml"]`. */
  readonly args?: readonly string[];
  /** Whether the process's own arguments after `--ros-args` count, below `args`. @default true */
  readonly useGlobalArguments?: boolean;
  /** Whether time comes from `/clock`: the parameter `use_sim_time`. */
  readonly useSimTime?: boolean;
  /** Whether parameters may be set that were not declared. @default false */
  readonly allowUndeclaredParameters?: boolean;
  /** Whether every given parameter is declared at once. @default false */
  readonly automaticallyDeclareParametersFromOverrides?: boolean;
  /** Whether others see its parameters. @default true */
  readonly startParameterServices?: boolean;
  /** Whether logs go to `/rosout`. @default true */
  readonly enableRosout?: boolean;
  /** Takes exceptions of callbacks; default: they are logged. */
  readonly onError?: (failure: CallbackFailure) => void;
  /** Takes logs instead of the console's error stream. */
  readonly onLog?: (record: LogRecord) => void;
  /** Where its clock, timers and timeouts take time from; default the machine. */
  readonly time?: TimeBase;
}

/**
 * Creates a node.
 * @throws InvalidNameError that says which rule of ROS 2 the name breaks; RosArgumentError; ValueError for a host that
 * there is not; InvalidParameterValueError if `use_sim_time` is given something other than a boolean
 * @example
 * const node = await ros.createNode("my_hello_world_node");
 * const publisher = node.createPublisher(ros.msg("std_msgs/msg/String"), "hello_world_topic", 10);
 * let i = 0;
 * node.createTimer(1.0, () => publisher.publish({ data: `Hello World: ${i++}` }));
 * await node.destroy(); // later
 */
export async function createNode(name: string, options: NodeOptions = {}): Promise<Node> {
  validateNodeName(name);
  const local = parseRosArguments(options.args ?? []);
  const global = parseRosArguments(options.useGlobalArguments === false ? [] : process.argv.slice(2));
  const remaps = [...remapsOf(options.remap), ...local.remaps, ...global.remaps];
  const owner = remapNode({ name, namespace: fullNamespace(options.namespace ?? "") }, remaps);
  const values = parametersFor(owner, [...global.parameters, ...local.parameters]);
  const overrides = new Map<string, ParameterInput | Typed>();
  for (const [key, value] of values) overrides.set(key, new Typed(value));
  for (const [key, value] of Object.entries(options.parameters ?? {})) overrides.set(key, value);
  if (options.useSimTime !== undefined) overrides.set("use_sim_time", options.useSimTime);

  const host = await rosHost({ host: options.host, domain: options.domain });
  const hostNode = host.createNode(owner.name, owner.namespace);
  try {
    const node = new Node({
      host: hostNode,
      time: options.time ?? machineTime,
      remaps,
      overrides,
      allowUndeclared: options.allowUndeclaredParameters ?? false,
      declareOverrides: options.automaticallyDeclareParametersFromOverrides ?? false,
      parameterServices: options.startParameterServices ?? true,
      rosout: options.enableRosout ?? true,
      logLevels: new Map([...global.logLevels, ...local.logLevels]),
      onError: options.onError,
      onLog: options.onLog,
    });
    const executor = options.executor === undefined ? defaultExecutor() : options.executor;
    executor?.add(node);
    return node;
  } catch (error) {
    hostNode.dispose();
    throw error;
  }
}

function remapsOf(remap: NodeOptions["remap"] = {}) {
  if (Array.isArray(remap)) return (remap as readonly string[]).map(parseRemapRule);
  return Object.entries(remap as Record<string, string>).map(([from, to]) => remapRule(from, to));
}
