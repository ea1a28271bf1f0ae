/** Another node's parameters, got and set over its services, whatever language it is written in. */
import { msg, type RosMessages, srv } from "../interfaces/registry.js";
import type { Client } from "./client.js";
import { RosError } from "./errors.js";
import { join } from "./names.js";
import type { Node } from "./node.js";
import { fromDescriptorMessage, type ParameterDescriptor } from "./parameter-descriptor.js";
import {
  fromMessage,
  needsBigint,
  type ParameterInput,
  type ParameterType,
  type ParameterValue,
  parameterType,
  plain,
  toMessage,
  typed,
} from "./parameter-value.js";
import type { SetParametersResult } from "./parameters.js";
import { qos } from "./qos.js";
import type { MessageStream } from "./subscription.js";
import type { WaitOptions } from "./wait.js";

type ParameterMessage = RosMessages["rcl_interfaces/msg/Parameter"];
type ParameterEventMessage = RosMessages["rcl_interfaces/msg/ParameterEvent"];

/** A change of a node's parameters. */
export interface ParameterEvent {
  /** The node's full name. */
  readonly node: string;
  readonly new: Readonly<Record<string, ParameterValue>>;
  readonly changed: Readonly<Record<string, ParameterValue>>;
  readonly deleted: readonly string[];
}

/**
 * Gets and sets parameters of another node. Made by `node.parameterClient`. Each method rejects with RosTimeoutError if
 * `timeout` (seconds) passes, and with the signal's reason. Integers are numbers, beyond 2^53 bigints.
 * @example
 * const node = await ros.createNode("parametrised_hello_world_node");
 * node.declareParameter("name", "world");
 * const shell = await ros.createNode("shell");
 * const remote = shell.parameterClient("parametrised_hello_world_node");
 * await remote.waitForServices({ timeout: 5 });
 * await remote.set({ name: "ROS2" });
 * const [names, values] = [await remote.list(), await remote.get(["name"])];
 * for (const one of [node, shell]) await one.destroy();
 * [names, values.name] // [["name", "use_sim_time"], "ROS2"]
 */
export class ParameterClient implements Disposable {
  /** The other node's full name. */
  readonly remoteNode: string;
  readonly #get;
  readonly #types;
  readonly #list;
  readonly #describe;
  readonly #set;
  readonly #setAtomically;

  /** @internal */
  constructor(
    private readonly node: Node,
    remote: string,
  ) {
    this.remoteNode = remote.startsWith("/") ? remote : join(node.namespace, remote);
    const options = { qos: qos.parameters };
    const name = (service: string) => `${this.remoteNode}/${service}`;
    this.#get = node.createClient(srv("rcl_interfaces/srv/GetParameters"), name("get_parameters"), options);
    this.#types = node.createClient(
      srv("rcl_interfaces/srv/GetParameterTypes"),
      name("get_parameter_types"),
      options,
    );
    this.#list = node.createClient(
      srv("rcl_interfaces/srv/ListParameters"),
      name("list_parameters"),
      options,
    );
    this.#describe = node.createClient(
      srv("rcl_interfaces/srv/DescribeParameters"),
      name("describe_parameters"),
      options,
    );
    this.#set = node.createClient(srv("rcl_interfaces/srv/SetParameters"), name("set_parameters"), options);
    this.#setAtomically = node.createClient(
      srv("rcl_interfaces/srv/SetParametersAtomically"),
      name("set_parameters_atomically"),
      options,
    );
  }

  get #clients(): readonly Client<never, unknown>[] {
    return [this.#get, this.#types, this.#list, this.#describe, this.#set, this.#setAtomically] as never;
  }

  /** True as soon as the other node's services are all there, false on timeout. */
  waitForServices(options?: WaitOptions): Promise<boolean> {
    return this.node.waitUntil(() => this.#clients.every((client) => client.isServiceAvailable()), options);
  }

  /** Names of its parameters, sorted. `prefixes` and `depth` as with `node.listParameters`. */
  async list(
    { prefixes = [], depth = 0 }: { prefixes?: readonly string[]; depth?: number } = {},
    options?: WaitOptions,
  ): Promise<string[]> {
    const { result } = await this.#list.call({ prefixes, depth }, options);
    return [...result.names].sort();
  }

  /** Values by name. @throws RosError if one of them is not there, or has no value: the answer does not tell which */
  async get(names: readonly string[], options?: WaitOptions): Promise<Record<string, ParameterValue>> {
    const { values } = await this.#get.call({ names }, options);
    return this.#named(names, values.map(received));
  }

  /** Types by name. @throws RosError if one of them is not there */
  async types(names: readonly string[], options?: WaitOptions): Promise<Record<string, ParameterType>> {
    const { types } = await this.#types.call({ names }, options);
    return this.#named(names, [...types].map(parameterType));
  }

  /** @throws RosError if one of them is not there */
  async describe(
    names: readonly string[],
    options?: WaitOptions,
  ): Promise<Record<string, ParameterDescriptor>> {
    const { descriptors } = await this.#describe.call({ names }, options);
    return this.#named(names, descriptors.map(fromDescriptorMessage));
  }

  /**
   * Sets each by itself and tells what became of each. Whether a `number` is an integer or a double, the other node is
   * asked before.
   * @throws TypeError for a value that no parameter can have
   */
  async set(
    values: Readonly<Record<string, ParameterInput | undefined>>,
    options?: WaitOptions,
  ): Promise<SetParametersResult[]> {
    const { results } = await this.#set.call({ parameters: await this.#messages(values, options) }, options);
    return results.map(({ successful, reason }) => ({ successful, reason }));
  }

  /** Sets all, or none. @throws as {@link set} */
  async setAtomically(
    values: Readonly<Record<string, ParameterInput | undefined>>,
    options?: WaitOptions,
  ): Promise<SetParametersResult> {
    const parameters = await this.#messages(values, options);
    const { result } = await this.#setAtomically.call({ parameters }, options);
    return { successful: result.successful, reason: result.reason };
  }

  /** Changes of the other node's parameters, from now on, for a loop. */
  events(options: { signal?: AbortSignal } = {}): AsyncGenerator<ParameterEvent, void, undefined> {
    const type = msg("rcl_interfaces/msg/ParameterEvent");
    const stream = this.node.subscribe(type, "/parameter_events", { qos: qos.parameterEvents, ...options });
    return eventsOf(this.remoteNode, stream);
  }

  destroy(): void {
    for (const client of this.#clients) client.destroy();
  }

  [Symbol.dispose](): void {
    this.destroy();
  }

  async #messages(values: Readonly<Record<string, ParameterInput | undefined>>, options?: WaitOptions) {
    const open = Object.keys(values).filter((name) => isOpen(values[name]));
    // asked one by one: a name that is not there would hide the others' types
    const types = new Map<string, ParameterType>();
    for (const name of open) {
      const answer = await this.#types.call({ names: [name] }, options);
      if (answer.types.length === 1) types.set(name, parameterType(answer.types[0]));
    }
    return Object.entries(values).map(([name, value]) => ({
      name,
      value: toMessage(typed(name, value, types.get(name))),
    }));
  }

  #named<T>(names: readonly string[], values: readonly T[]): Record<string, T> {
    if (values.length !== names.length)
      throw new RosError(
        `node ${this.remoteNode} does not have all of these parameters, or not with a value: ${names.join(", ")}`,
      );
    return Object.fromEntries(names.map((name, i) => [name, values[i]]));
  }
}

async function* eventsOf(
  node: string,
  stream: MessageStream<ParameterEventMessage>,
): AsyncGenerator<ParameterEvent, void, undefined> {
  const named = (list: readonly ParameterMessage[]) =>
    Object.fromEntries(list.map(({ name, value }) => [name, received(value)]));
  for await (const event of stream) {
    if (event.node !== node) continue;
    yield {
      node,
      new: named(event.new_parameters),
      changed: named(event.changed_parameters),
      deleted: event.deleted_parameters.map(({ name }) => name),
    };
  }
}

/** Whether JavaScript leaves the type open: a number, an array of numbers, an empty array. */
const isOpen = (value: ParameterInput | undefined): boolean =>
  typeof value === "number" || (Array.isArray(value) && (value.length === 0 || typeof value[0] === "number"));

function received(message: ParameterMessage["value"]): ParameterValue {
  const value = fromMessage(message);
  return plain(value, needsBigint(value));
}
