/** What a node sees of the others: names, topics, services, and waits for them. */
import type { EndpointInfo, HostNode, NamesAndTypes } from "../host.js";
import { NodeDestroyedError } from "./errors.js";
import { joined } from "./joined.js";
import { fullNamespace, join, validateNodeName } from "./names.js";
import type { TimeBase } from "./time-base.js";
import { type WaitContext, type WaitOptions, waitUntil } from "./wait.js";

/** Part of every node. */
export abstract class NodeGraph {
  /** @internal For waits. */
  readonly waits: WaitContext;
  readonly #endings = new Set<(error: Error) => void>();
  #ended: NodeDestroyedError | undefined;

  protected constructor(
    /** @internal What carries this node's messages. */
    readonly hostNode: HostNode,
    /** @internal */
    readonly time: TimeBase,
  ) {
    this.waits = {
      time,
      onGraphChange: (listener) => this.onGraphChange(listener),
      onDestroy: (listener) => {
        if (this.#ended) {
          listener(this.#ended);
          return () => {};
        }
        this.#endings.add(listener);
        return () => this.#endings.delete(listener);
      },
    };
  }

  abstract resolveTopicName(name: string): string;

  /** @internal What this node has created. */
  protected abstract ownEnds(): Iterable<object>;

  get name(): string {
    return this.hostNode.name;
  }

  /** `/` or `/a/b`. */
  get namespace(): string {
    return this.hostNode.namespace;
  }

  /** `/namespace/name`. */
  get fullyQualifiedName(): string {
    return join(this.namespace, this.name);
  }

  get isDestroyed(): boolean {
    return this.#ended !== undefined;
  }

  /** Names of the nodes that discovery knows, this one's too, without their namespaces. @throws NodeDestroyedError */
  getNodeNames(): string[] {
    return this.getNodeNamesAndNamespaces().map(({ name }) => name);
  }

  /** As {@link getNodeNames}, with namespaces. */
  getNodeNamesAndNamespaces(): readonly { readonly name: string; readonly namespace: string }[] {
    return this.alive().nodeNames();
  }

  /** As {@link getNodeNames}, as `/namespace/name`. */
  getFullyQualifiedNodeNames(): string[] {
    return this.getNodeNamesAndNamespaces().map(({ name, namespace }) => join(namespace, name));
  }

  /** Topics that somebody publishes or subscribes to. @throws NodeDestroyedError */
  getTopicNamesAndTypes(): readonly NamesAndTypes[] {
    return this.alive().topicNamesAndTypes();
  }

  /** Services that somebody offers or calls. @throws NodeDestroyedError */
  getServiceNamesAndTypes(): readonly NamesAndTypes[] {
    return this.alive().serviceNamesAndTypes();
  }

  /** Who publishes on a topic, and with which QoS. @throws NodeDestroyedError, InvalidNameError */
  getPublishersInfoByTopic(topic: string): readonly EndpointInfo[] {
    return this.alive().publishersInfo(this.resolveTopicName(topic));
  }

  /** Who subscribes to a topic, and with which QoS. @throws NodeDestroyedError, InvalidNameError */
  getSubscriptionsInfoByTopic(topic: string): readonly EndpointInfo[] {
    return this.alive().subscriptionsInfo(this.resolveTopicName(topic));
  }

  /** Topics on which the node of that full name publishes. @throws NodeDestroyedError */
  getPublisherNamesAndTypesByNode(node: string): NamesAndTypes[] {
    const host = this.alive();
    return this.#topicsOf(node, (topic) => host.publishersInfo(topic));
  }

  /** Topics to which the node of that full name subscribes. @throws NodeDestroyedError */
  getSubscriberNamesAndTypesByNode(node: string): NamesAndTypes[] {
    const host = this.alive();
    return this.#topicsOf(node, (topic) => host.subscriptionsInfo(topic));
  }

  #topicsOf(node: string, ends: (topic: string) => readonly EndpointInfo[]): NamesAndTypes[] {
    return this.alive()
      .topicNamesAndTypes()
      .map(({ name }) => {
        const own = ends(name).filter((end) => join(end.nodeNamespace, end.nodeName) === node);
        return { name, types: [...new Set(own.map(({ type }) => type))] };
      })
      .filter(({ types }) => types.length > 0);
  }

  /** How many publish on a topic. @throws NodeDestroyedError, InvalidNameError */
  countPublishers(topic: string): number {
    return this.getPublishersInfoByTopic(topic).length;
  }

  /** How many subscribe to a topic. @throws NodeDestroyedError, InvalidNameError */
  countSubscribers(topic: string): number {
    return this.getSubscriptionsInfoByTopic(topic).length;
  }

  /** Calls after nodes, topics or services came or went; returns what ends it. */
  onGraphChange(listener: () => void): () => void {
    return this.alive().onGraphChange(listener);
  }

  /**
   * True as soon as a node of that name is there, false on timeout. A relative name is one of this node's namespace.
   * @throws NodeDestroyedError, InvalidNameError, or the signal's reason
   */
  waitForNode(name: string, options?: WaitOptions): Promise<boolean> {
    const full = name.startsWith("/") ? name : join(this.namespace, name);
    const slash = full.lastIndexOf("/");
    validateNodeName(full.slice(slash + 1));
    fullNamespace(full.slice(0, slash));
    return this.waitUntil(() => this.getFullyQualifiedNodeNames().includes(full), options);
  }

  /**
   * True as soon as somebody publishes on the topic, and this node's subscriptions of it are joined with those that fit; false
   * on timeout.
   * @throws as {@link waitForNode}
   */
  async waitForPublishers(topic: string, count = 1, options?: WaitOptions): Promise<boolean> {
    const full = this.resolveTopicName(topic);
    const found = () => this.alive().publishersInfo(full);
    return this.waitUntil(
      joined(() => this.ownEnds(), full, "publishers", count, found),
      options,
    );
  }

  /**
   * True as soon as somebody subscribes to the topic, and what this node's publishers of it send reaches those that fit;
   * false on timeout.
   * @throws as {@link waitForNode}
   */
  async waitForSubscriptions(topic: string, count = 1, options?: WaitOptions): Promise<boolean> {
    const full = this.resolveTopicName(topic);
    const found = () => this.alive().subscriptionsInfo(full);
    return this.waitUntil(
      joined(() => this.ownEnds(), full, "subscriptions", count, found),
      options,
    );
  }

  /**
   * True as soon as `condition` holds, looked at when the ROS graph changes and every 0.1 s; false on timeout.
   * @throws NodeDestroyedError, what `condition` throws, or the signal's reason
   */
  async waitUntil(condition: () => boolean, options?: WaitOptions): Promise<boolean> {
    this.alive();
    return waitUntil(this.waits, condition, options);
  }

  /** Calls when this node is destroyed; returns what ends that. */
  onDestroy(listener: () => void): () => void {
    return this.waits.onDestroy(() => listener());
  }

  /** @internal @throws NodeDestroyedError */
  protected alive(): HostNode {
    if (this.#ended) throw new NodeDestroyedError(this.#ended.message);
    return this.hostNode;
  }

  /** @internal Waits reject from here on. */
  protected end(): void {
    this.#ended = new NodeDestroyedError(`node ${this.fullyQualifiedName} was destroyed`);
    for (const ending of [...this.#endings]) ending(this.#ended);
    this.#endings.clear();
  }
}
