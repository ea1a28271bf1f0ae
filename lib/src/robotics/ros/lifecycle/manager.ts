/** Brings managed nodes of any process up and down: one, or a list of them in order. */

import { join } from "../node/names.js";
import type { Node } from "../node/node.js";
import type { WaitOptions } from "../node/wait.js";
import {
  ChangeState,
  GetAvailableTransitions,
  GetState,
  lifecycleNames,
  stateOf,
  TransitionEvent,
} from "./messages.js";
import { LifecycleError, type LifecycleState, type TransitionName } from "./state-machine.js";

/** Asks one managed node for its state, and for transitions. */
export class LifecycleClient implements Disposable {
  /** Its full name. */
  readonly name: string;
  private readonly clients;
  private readonly names;

  /** @param name of the managed node; a relative one is of `node`'s namespace */
  constructor(
    private readonly node: Node,
    name: string,
  ) {
    this.name = name.startsWith("/") ? name : join(node.namespace, name);
    this.names = lifecycleNames(this.name);
    this.clients = {
      change: node.createClient(ChangeState, this.names.changeState),
      state: node.createClient(GetState, this.names.getState),
      transitions: node.createClient(GetAvailableTransitions, this.names.getAvailableTransitions),
    };
  }

  /** True as soon as the node is there, false on timeout. @throws NodeDestroyedError, or the signal's reason */
  waitForNode(options?: WaitOptions): Promise<boolean> {
    const clients = Object.values(this.clients);
    return this.node.waitUntil(() => clients.every((client) => client.isServiceAvailable()), options);
  }

  /** @throws RosTimeoutError, NodeDestroyedError, or the signal's reason */
  async getState(options?: WaitOptions): Promise<LifecycleState> {
    const { current_state } = await this.clients.state.call({}, options);
    return stateOf(current_state);
  }

  /** Labels of the transitions that are possible now. @throws as getState */
  async getAvailableTransitions(options?: WaitOptions): Promise<string[]> {
    const { available_transitions } = await this.clients.transitions.call({}, options);
    return available_transitions.map(({ transition }) => transition.label);
  }

  /** @returns whether it succeeded @throws as getState */
  async changeState(transition: TransitionName, options?: WaitOptions): Promise<boolean> {
    const { success } = await this.clients.change.call({ transition: { id: 0, label: transition } }, options);
    return success;
  }

  /** States as the node comes to them, from now on. */
  async *states(options?: { signal?: AbortSignal }): AsyncGenerator<LifecycleState, void> {
    for await (const { goal_state } of this.node.subscribe(TransitionEvent, this.names.transitionEvent, {
      ...{ qos: 100, ...options },
    }))
      yield stateOf(goal_state);
  }

  destroy(): void {
    for (const client of Object.values(this.clients)) client.destroy();
  }

  [Symbol.dispose](): void {
    this.destroy();
  }
}

/** What leads from one resting state towards another. */
const NEXT: Readonly<
  Record<"inactive" | "active" | "unconfigured", Readonly<Record<string, TransitionName>>>
> = {
  active: { unconfigured: "configure", inactive: "activate" },
  inactive: { unconfigured: "configure", active: "deactivate" },
  unconfigured: { inactive: "cleanup", active: "deactivate" },
};

/**
 * Leads a node to a resting state, from whichever it is in.
 * @throws LifecycleError that names the transition that failed, or that none leads there; RosTimeoutError when the node
 * is not there, or does not answer, within `timeout` seconds
 * @example
 * const camera = await ros.createLifecycleNode("camera");
 * await ros.bringTo(new ros.LifecycleClient(camera.node, "camera"), "active", { timeout: 10 });
 * await camera.destroy();
 * [camera.state] // ["active"]
 */
export async function bringTo(
  client: LifecycleClient,
  goal: "unconfigured" | "inactive" | "active",
  options: WaitOptions = {},
): Promise<void> {
  if (!(await client.waitForNode(options)))
    throw new LifecycleError(`managed node ${client.name} is not there after ${options.timeout} s`);
  for (;;) {
    const state = await client.getState(options);
    if (state === goal) return;
    const transition = NEXT[goal][state];
    if (transition === undefined)
      throw new LifecycleError(`${client.name}: no way from state ${state} to ${goal}`);
    if (!(await client.changeState(transition, options)))
      throw new LifecycleError(
        `${client.name}: ${transition} failed; it is ${await client.getState(options)}`,
      );
  }
}

export interface LifecycleManagerOptions {
  /** Seconds that each node may take to come, and for each transition. Default 10. */
  readonly timeout?: number;
}

/**
 * Brings a list of nodes up in order, and down in the opposite one.
 * @example
 * const [map, planner] = [await ros.createLifecycleNode("map_server"), await ros.createLifecycleNode("planner")];
 * const manager = new ros.LifecycleManager(map.node, ["map_server", "planner"]);
 * await manager.startup();  // configures both, then activates them, in order
 * const { state } = planner;
 * await manager.shutdown(); // deactivates, cleans up and finalizes them, the planner first
 * await Promise.all([map.destroy(), planner.destroy()]);
 * [state, planner.state] // ["active", "finalized"]
 */
export class LifecycleManager implements Disposable {
  private readonly clients: readonly LifecycleClient[];
  private readonly timeout: number;

  constructor(node: Node, names: readonly string[], { timeout = 10 }: LifecycleManagerOptions = {}) {
    this.clients = names.map((name) => new LifecycleClient(node, name));
    this.timeout = timeout;
  }

  /**
   * To active. If one fails, those that are up already are brought down again.
   * @throws LifecycleError that names the node and its transition
   */
  async startup(options: { signal?: AbortSignal } = {}): Promise<void> {
    const wait = { timeout: this.timeout, ...options };
    const before = [];
    for (const client of this.clients) {
      if (!(await client.waitForNode(wait)))
        throw new LifecycleError(`managed node ${client.name} is not there after ${this.timeout} s`);
      before.push(await client.getState(wait));
    }
    try {
      for (const [i, client] of this.clients.entries())
        if (before[i] !== "active") await bringTo(client, "inactive", wait);
      for (const client of this.clients) await bringTo(client, "active", wait);
    } catch (error) {
      await this.down("unconfigured", { timeout: this.timeout });
      throw error;
    }
  }

  /** To inactive, the last first. @throws LifecycleError */
  async pause(): Promise<void> {
    for (const client of [...this.clients].reverse())
      await bringTo(client, "inactive", { timeout: this.timeout });
  }

  /** To active, in order. @throws LifecycleError */
  async resume(): Promise<void> {
    for (const client of this.clients) await bringTo(client, "active", { timeout: this.timeout });
  }

  /** To unconfigured, the last first. @throws LifecycleError */
  async reset(): Promise<void> {
    await this.pause();
    for (const client of [...this.clients].reverse())
      await bringTo(client, "unconfigured", { timeout: this.timeout });
  }

  /** To finalized, the last first; the other nodes too if one fails. @throws LifecycleError of the first that failed */
  async shutdown(): Promise<void> {
    const wait = { timeout: this.timeout };
    const errors = await this.down("unconfigured", wait);
    for (const client of [...this.clients].reverse())
      try {
        if ((await client.getState(wait)) !== "finalized" && !(await client.changeState("shutdown", wait)))
          throw new LifecycleError(`${client.name}: shutdown failed; it is ${await client.getState(wait)}`);
      } catch (error) {
        errors.push(error);
      }
    if (errors.length > 0) throw errors[0];
  }

  /** States by full name. @throws RosTimeoutError */
  async states(): Promise<Map<string, LifecycleState>> {
    const states = new Map<string, LifecycleState>();
    for (const client of this.clients)
      states.set(client.name, await client.getState({ timeout: this.timeout }));
    return states;
  }

  destroy(): void {
    for (const client of this.clients) client.destroy();
  }

  [Symbol.dispose](): void {
    this.destroy();
  }

  /** As far as each of them lets itself be brought down: first all to inactive, then on. */
  private async down(goal: "unconfigured", wait: WaitOptions): Promise<unknown[]> {
    const errors: unknown[] = [];
    for (const step of ["inactive", goal] as const)
      for (const client of [...this.clients].reverse())
        try {
          const state = await client.getState(wait);
          const isAbove = state === "active" || (step === "unconfigured" && state === "inactive");
          if (isAbove) await bringTo(client, step, wait);
        } catch (error) {
          errors.push(error);
        }
    return errors;
  }
}
