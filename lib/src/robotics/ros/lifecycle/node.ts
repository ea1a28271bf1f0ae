/** Managed nodes: nodes that others configure, activate, deactivate, clean up and shut down. */
import type { MessageInit, MessageType } from "../interfaces/types.js";
import { CallbackGroup } from "../node/callback-group.js";
import type { CreateOptions, Node } from "../node/node.js";
import type { Publisher } from "../node/publisher.js";
import type { QoSInput } from "../node/qos.js";
import {
  ChangeState,
  GetAvailableStates,
  GetAvailableTransitions,
  GetState,
  lifecycleNames,
  stateMessage,
  TransitionEvent,
  transitionDescription,
} from "./messages.js";
import {
  LIFECYCLE_STATES,
  LifecycleError,
  type LifecycleState,
  LifecycleStateMachine,
  TRANSITIONS,
  type Transition,
  type TransitionName,
  type TransitionOutcome,
} from "./state-machine.js";

/**
 * What a managed node does in a transition; `previous` is the state that it left. Nothing, or "success": go on.
 * "failure": back to where it was. "error", or an exception: `onError` decides.
 */
export type TransitionCallback = (
  previous: LifecycleState,
  // biome-ignore lint/suspicious/noConfusingVoidType: a callback that returns nothing has succeeded
) => TransitionOutcome | void | Promise<string | void>; // TypeScript widens what an async function returns

export interface LifecycleCallbacks {
  /** Load what is needed: parameters, models, devices. */
  readonly onConfigure?: TransitionCallback;
  /** Give it back. */
  readonly onCleanup?: TransitionCallback;
  readonly onActivate?: TransitionCallback;
  readonly onDeactivate?: TransitionCallback;
  readonly onShutdown?: TransitionCallback;
  /** Put things in order after an error: "success" leads to unconfigured, else the node is finalized. */
  readonly onError?: TransitionCallback;
}

const CALLBACKS: Readonly<Partial<Record<LifecycleState, keyof LifecycleCallbacks>>> = {
  configuring: "onConfigure",
  cleaningup: "onCleanup",
  activating: "onActivate",
  deactivating: "onDeactivate",
  shuttingdown: "onShutdown",
  errorprocessing: "onError",
};

/** Publishes while its node is active; else it is silent. Made by `LifecycleNode.createPublisher`. */
export class LifecyclePublisher<M> implements Disposable {
  /** @internal */
  constructor(
    private readonly publisher: Publisher<M>,
    private readonly isActive: () => boolean,
  ) {}

  get topic(): string {
    return this.publisher.topic;
  }

  get subscriptionCount(): number {
    return this.publisher.subscriptionCount;
  }

  /** Whether messages go out: the node is active. */
  get isEnabled(): boolean {
    return this.isActive();
  }

  /** @returns whether it went out @throws as `Publisher.publish` */
  publish(message: MessageInit<M>): boolean {
    if (!this.isActive()) return false;
    this.publisher.publish(message);
    return true;
  }

  destroy(): void {
    this.publisher.destroy();
  }

  [Symbol.dispose](): void {
    this.destroy();
  }
}

/**
 * Makes a node a managed one.
 * @example
 * const speaker = new ros.LifecycleNode(await ros.createNode("speaker"));
 * const publisher = speaker.createPublisher(ros.msg("std_msgs/msg/String"), "chatter", 10);
 * await speaker.configure(); // or another node asks for it, through ~/change_state
 * const before = publisher.publish({ data: "nobody hears it" });
 * await speaker.activate();
 * const after = publisher.publish({ data: "hello" });
 * await speaker.destroy();
 * [before, after] // [false, true]
 */
export class LifecycleNode implements AsyncDisposable {
  private readonly machine: LifecycleStateMachine;
  private readonly listeners = new Set<(transition: Transition) => void>();
  private readonly events: Publisher<{
    timestamp: bigint;
    transition: { id: number; label: string };
    start_state: { id: number; label: string };
    goal_state: { id: number; label: string };
  }>;

  constructor(
    /** Its subscriptions, services and timers work in every state. */
    readonly node: Node,
    private readonly callbacks: LifecycleCallbacks = {},
  ) {
    this.machine = new LifecycleStateMachine(node.fullyQualifiedName, (transition) => this.tell(transition));
    const names = lifecycleNames("~");
    const group = new CallbackGroup("reentrant"); // the state can be asked for while a transition is under way
    this.events = node.createPublisher(TransitionEvent, names.transitionEvent);
    node.createService(ChangeState, names.changeState, ({ transition }) => this.answerChange(transition), {
      group,
    });
    node.createService(GetState, names.getState, () => ({ current_state: stateMessage(this.state) }), {
      group,
    });
    const available_states = (Object.keys(LIFECYCLE_STATES) as LifecycleState[]).map(stateMessage);
    node.createService(GetAvailableStates, names.getAvailableStates, () => ({ available_states }), { group });
    const serveTransitions = (name: string, transitions: () => readonly Transition[]) =>
      node.createService(
        GetAvailableTransitions,
        name,
        () => ({ available_transitions: transitions().map(transitionDescription) }),
        { group },
      );
    serveTransitions(names.getAvailableTransitions, () => this.machine.available);
    serveTransitions(names.getTransitionGraph, () => TRANSITIONS);
  }

  get state(): LifecycleState {
    return this.machine.state;
  }

  get isActive(): boolean {
    return this.machine.state === "active";
  }

  /** A publisher that is silent unless the node is active. @throws as `Node.createPublisher` */
  createPublisher<M>(
    type: MessageType<M>,
    topic: string,
    options?: QoSInput | CreateOptions,
  ): LifecyclePublisher<M> {
    return new LifecyclePublisher(this.node.createPublisher(type, topic, options), () => this.isActive);
  }

  /** Calls after each change of state; returns what ends it. */
  onTransition(listener: (transition: Transition) => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  configure(): Promise<TransitionOutcome> {
    return this.trigger("configure");
  }

  cleanup(): Promise<TransitionOutcome> {
    return this.trigger("cleanup");
  }

  activate(): Promise<TransitionOutcome> {
    return this.trigger("activate");
  }

  deactivate(): Promise<TransitionOutcome> {
    return this.trigger("deactivate");
  }

  shutdown(): Promise<TransitionOutcome> {
    return this.trigger("shutdown");
  }

  /**
   * Goes through a transition, by name or number; resolves in the state after it, with what its callback said.
   * @throws LifecycleError where it is not possible in the node's state, so also while another is under way
   */
  async trigger(transition: TransitionName | number): Promise<TransitionOutcome> {
    const { start } = this.machine.take(transition);
    const outcome = await this.callback(start);
    this.machine.take(`transition_${outcome}`);
    if (outcome === "error") this.machine.take(`transition_${await this.callback(start)}`);
    return outcome;
  }

  async destroy(): Promise<void> {
    await this.node.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.destroy();
  }

  /** That of the state that the machine is in. */
  private async callback(previous: LifecycleState): Promise<TransitionOutcome> {
    const name = CALLBACKS[this.machine.state]!;
    try {
      const outcome: string = (await this.callbacks[name]?.(previous)) ?? "success";
      if (outcome === "success" || outcome === "failure" || outcome === "error") return outcome;
      throw new TypeError(
        `${name} returned ${String(outcome)}; "success", "failure", "error" or nothing expected`,
      );
    } catch (error) {
      this.node.reportError(error, name);
      return "error";
    }
  }

  private async answerChange({ id, label }: { id: number; label: string }): Promise<{ success: boolean }> {
    try {
      return { success: (await this.trigger(label === "" ? id : (label as TransitionName))) === "success" };
    } catch (error) {
      if (!(error instanceof LifecycleError)) throw error;
      this.node.logger.warn(error.message);
      return { success: false };
    }
  }

  private tell(transition: Transition): void {
    if (!this.node.isDestroyed)
      this.events.publish({ timestamp: this.node.clock.nanoseconds(), ...transitionDescription(transition) });
    for (const listener of [...this.listeners])
      try {
        listener(transition);
      } catch (error) {
        this.node.reportError(error, "onTransition"); // the node's life goes on
      }
  }
}
