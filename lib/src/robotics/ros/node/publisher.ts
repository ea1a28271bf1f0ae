/** Publishers: where messages enter a topic. */
import type { HostPublisher, QoSProfile } from "../host.js";
import type { MessageInit, MessageType } from "../interfaces/types.js";
import type { Owner } from "./callback-group.js";
import { NodeDestroyedError } from "./errors.js";
import { type WaitContext, type WaitOptions, waitUntil } from "./wait.js";

/** Publishes messages of one type on one topic. Made by `node.createPublisher`. */
export class Publisher<M> implements Disposable {
  #destroyed = false;

  /** @internal */
  constructor(
    readonly type: MessageType<M>,
    readonly qos: QoSProfile,
    private readonly host: HostPublisher<M>,
    private readonly context: WaitContext,
    private readonly owner: Owner,
  ) {}

  /** The topic's full name. */
  get topic(): string {
    return this.host.topic;
  }

  /** Subscriptions that get this publisher's messages, as far as discovery knows. */
  get subscriptionCount(): number {
    return this.#destroyed ? 0 : this.host.subscriptionCount;
  }

  /**
   * @throws TypeError that names type, field and what was given, if `message` does not fit; NodeDestroyedError
   */
  publish(message: MessageInit<M>): void {
    if (this.#destroyed) throw new NodeDestroyedError(`the publisher on ${this.topic} was destroyed`);
    this.host.publish(this.type.create(message), true);
  }

  /** Says that this publisher is alive, where QoS liveliness is `manual_by_topic`. */
  assertLiveliness(): void {
    this.#alive().assertLiveliness();
  }

  /** True when each reliable subscription has all messages published so far; false after `timeout` seconds. */
  waitForAllAcked({ timeout = Infinity }: { timeout?: number } = {}): Promise<boolean> {
    return this.#alive().waitForAllAcked(timeout);
  }

  /**
   * True as soon as at least `count` subscriptions are there, false on timeout.
   * @throws NodeDestroyedError, or the signal's reason
   */
  waitForSubscriptions(count = 1, options?: WaitOptions): Promise<boolean> {
    return waitUntil(this.context, () => this.#alive().subscriptionCount >= count, options);
  }

  #alive(): HostPublisher<M> {
    if (this.#destroyed) throw new NodeDestroyedError(`the publisher on ${this.topic} was destroyed`);
    return this.host;
  }

  destroy(): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    this.host.dispose();
    this.owner.forget(this);
  }

  [Symbol.dispose](): void {
    this.destroy();
  }
}
