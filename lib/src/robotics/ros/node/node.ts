/** Nodes: what a program is on the ROS graph. */
import { ActionClient, type ActionClientOptions } from "../action/client.js";
import { ActionServer, type ActionServerOptions } from "../action/server.js";
import type { EntityOptions, HostNode, QoSEvent, QoSProfile } from "../host.js";
import { msg } from "../interfaces/registry.js";
import type { ActionType, MessageType, ServiceType } from "../interfaces/types.js";
import { CallbackGroup, type Entity } from "./callback-group.js";
import { Client } from "./client.js";
import { Clock } from "./clock.js";
import { EventQueue } from "./event-queue.js";
import type { Executor, ExecutorNode } from "./executor.js";
import { formatLog, LOG_LEVELS, Logger, type LogLevel, type LogRecord, type LogSink } from "./logger.js";
import { serveLogLevels } from "./logger-services.js";
import { expandName } from "./names.js";
import { NodeParameters } from "./node-parameters.js";
import { ParameterClient } from "./parameter-client.js";
import { parameterEvent, parameterEventType, serveParameters } from "./parameter-services.js";
import type { ParameterInput } from "./parameter-value.js";
import { Parameters, type Typed } from "./parameters.js";
import { Publisher } from "./publisher.js";
import { type QoSInput, qos, resolveQoS } from "./qos.js";
import { Rate } from "./rate.js";
import { type RemapRule, remapName } from "./remap.js";
import { Service, type ServiceCallback } from "./service.js";
import { type MessageCallback, MessageStream, Subscription } from "./subscription.js";
import { Time } from "./time.js";
import type { TimeBase } from "./time-base.js";
import { followSimTime } from "./time-source.js";
import { Timer, type TimerCallback } from "./timer.js";

/** Beside quality of service, for what a node creates. A number or a profile alone is its QoS. */
export interface CreateOptions {
  readonly qos?: QoSInput;
  /** Whose callbacks may run meanwhile; default the node's own group, which is exclusive. */
  readonly group?: CallbackGroup;
  /** Events of quality of service, as incompatible partners. */
  readonly onEvent?: (event: QoSEvent) => void;
}

export interface ServiceOptions<Request> extends CreateOptions {
  /** Called when the answer to a request has left: what is published from then on comes to its client behind it. */
  readonly onAnswered?: (request: Request) => void;
}

export interface SubscribeOptions extends Omit<CreateOptions, "group"> {
  /** Ends the loop. */
  readonly signal?: AbortSignal;
}

export interface TimerOptions {
  readonly group?: CallbackGroup;
  /** Whose time: default the node's, which is simulated time where that is used. */
  readonly clock?: Clock;
  /** @default true */
  readonly autostart?: boolean;
}

/** What went wrong in a callback. */
export interface CallbackFailure {
  readonly node: string;
  /** As "subscription of /chatter". */
  readonly source: string;
  readonly error: unknown;
}

/** @internal What `createNode` found out. */
export interface NodeSetup {
  readonly host: HostNode;
  readonly time: TimeBase;
  readonly remaps: readonly RemapRule[];
  readonly overrides: ReadonlyMap<string, ParameterInput | Typed>;
  readonly allowUndeclared: boolean;
  readonly declareOverrides: boolean;
  readonly parameterServices: boolean;
  readonly rosout: boolean;
  readonly logLevels: Map<string, LogLevel>;
  readonly loggerService: boolean;
  readonly onError: ((failure: CallbackFailure) => void) | undefined;
  readonly onLog: ((record: LogRecord) => void) | undefined;
}

interface Endpoint {
  destroy(): void;
}

/**
 * A node. Made by `createNode`.
 *
 * Its callbacks run through its executor. It does not keep the process alive, but what it waits for does: a timer, a wait
 * with a timeout, a connection to other processes.
 */
export class Node extends NodeParameters implements ExecutorNode, AsyncDisposable {
  /** The node's time: the system's, or simulated time where its parameter `use_sim_time` is true. */
  readonly clock: Clock;
  readonly logger: Logger;
  /** Of what is created without a group of its own. */
  readonly defaultCallbackGroup = new CallbackGroup("exclusive");
  /** @internal */
  executor: Executor | null = null;
  /** @internal */
  readonly entities = new Set<Entity>();
  /** What it has, and what takes the events of each. */
  readonly #endpoints = new Map<Endpoint, EventQueue | undefined>();
  readonly #setup: NodeSetup;
  #onError: (failure: CallbackFailure) => void;

  /** @internal */
  constructor(setup: NodeSetup) {
    const { overrides, allowUndeclared } = setup;
    super(setup.host, setup.time, new Parameters({ allowUndeclared, overrides }));
    this.#setup = setup;
    this.clock = new Clock("ros", setup.time);
    this.#onError =
      setup.onError ??
      (({ source, error }) =>
        this.logger.error(`${source}: ${error instanceof Error ? error.stack : String(error)}`));
    this.logger = new Logger(this.fullyQualifiedName.slice(1).replaceAll("/", "."), this.#logSink());
    const events = this.createPublisher(parameterEventType(), "/parameter_events", qos.parameterEvents);
    this.parameters.onChange = (changes) => {
      if (!this.isDestroyed) events.publish(parameterEvent(this.fullyQualifiedName, this.now(), changes));
    };
    if (setup.declareOverrides) this.parameters.declareOverrides();
    followSimTime(this);
    if (setup.parameterServices) serveParameters(this);
    if (setup.loggerService) serveLogLevels(this, setup.logLevels);
  }

  /** The clock's time. */
  now(): Time {
    return this.clock.now();
  }

  /** A publisher of a topic. @throws InvalidNameError; TypeError for a QoS that is none */
  createPublisher<M>(type: MessageType<M>, topic: string, options?: QoSInput | CreateOptions): Publisher<M> {
    const name = this.resolveTopicName(topic);
    const given = split(options);
    const [entity, events] = this.#events(given, `publisher on ${name}`);
    const host = this.alive().createPublisher(type, name, entity);
    return this.#own(new Publisher(type, given.qos, host, this.waits, this.#owner), events);
  }

  /** Calls `callback` for each message of a topic. @throws InvalidNameError; TypeError for a QoS that is none */
  createSubscription<M>(
    type: MessageType<M>,
    topic: string,
    callback: MessageCallback<M>,
    options?: QoSInput | CreateOptions,
  ): Subscription<M> {
    called(callback);
    const name = this.resolveTopicName(topic);
    const given = split(options);
    const { group = this.defaultCallbackGroup } = given;
    const [entity, events] = this.#events(given, `subscription of ${name}`);
    const host = this.alive();
    const attach = (take: MessageCallback<M>) => host.createSubscription(type, name, entity, take);
    return this.#enlist(
      new Subscription(type, name, given.qos, callback, group, this.#owner, this.waits, attach),
      events,
    );
  }

  /**
   * The messages of a topic, from now on, for a loop.
   * @throws InvalidNameError; TypeError for a QoS that is none
   * @example
   * for await (const { data } of node.subscribe(ros.msg("std_msgs/msg/String"), "chatter")) console.log(data);
   */
  subscribe<M>(type: MessageType<M>, topic: string, options?: QoSInput | SubscribeOptions): MessageStream<M> {
    const name = this.resolveTopicName(topic);
    const given = split(options);
    const [entity, events] = this.#events(given, `subscription of ${name}`);
    const host = this.alive();
    const attach = (take: MessageCallback<M>) => host.createSubscription(type, name, entity, take);
    return this.#own(new MessageStream(type, name, given.qos, this.#owner, attach, given.signal), events);
  }

  /**
   * Answers a service's requests with what `callback` returns, or its promise resolves to.
   * @throws InvalidNameError; TypeError for a QoS that is none
   */
  createService<Request, Response>(
    type: ServiceType<Request, Response>,
    name: string,
    callback: ServiceCallback<Request, Response>,
    options?: QoSInput | ServiceOptions<Request>,
  ): Service<Request, Response> {
    called(callback);
    const full = this.resolveServiceName(name);
    const given = split(options, qos.services);
    const { group = this.defaultCallbackGroup, onAnswered } = given;
    const [entity, events] = this.#events(given, `service ${full}`);
    const answered = (request: Request): void => {
      try {
        onAnswered?.(request);
      } catch (error) {
        this.reportError(error, `onAnswered of service ${full}`);
      }
    };
    const host = this.alive();
    const attach = (take: (request: Request) => Promise<Response>) =>
      host.createService(type, full, entity, take, onAnswered && answered);
    return this.#enlist(new Service(type, full, callback, group, this.#owner, attach), events);
  }

  /** A client of a service. @throws InvalidNameError; TypeError for a QoS that is none */
  createClient<Request, Response>(
    type: ServiceType<Request, Response>,
    name: string,
    options?: QoSInput | Omit<CreateOptions, "group">,
  ): Client<Request, Response> {
    const full = this.resolveServiceName(name);
    const [entity, events] = this.#events(split(options, qos.services), `client of ${full}`);
    const host = this.alive().createClient(type, full, entity);
    return this.#enlist(new Client(type, host, this.#owner, this.waits), events);
  }

  /**
   * Calls `callback` every `period` seconds, first after one period.
   * @throws RangeError unless `period` is a number of at least 0
   */
  createTimer(period: number, callback: TimerCallback, options: TimerOptions = {}): Timer {
    called(callback);
    this.alive();
    const { clock = this.clock, group = this.defaultCallbackGroup, autostart = true } = options;
    return this.#enlist(new Timer(this.#owner, clock, period, callback, group, autostart));
  }

  /**
   * Serves an action: work that takes long, reports on its way and can be stopped.
   * @throws InvalidNameError; TypeError without `execute`; ValueError of a `resultTimeout` that is none
   */
  createActionServer<Goal, Result, Feedback>(
    type: ActionType<Goal, Result, Feedback>,
    name: string,
    options: ActionServerOptions<Goal, Result, Feedback>,
  ): ActionServer<Goal, Result, Feedback> {
    return new ActionServer(this, type, name, options);
  }

  /** A client of an action. @throws InvalidNameError; TypeError for a QoS that is none */
  createActionClient<Goal, Result, Feedback>(
    type: ActionType<Goal, Result, Feedback>,
    name: string,
    options?: ActionClientOptions,
  ): ActionClient<Goal, Result, Feedback> {
    return new ActionClient(this, type, name, options);
  }

  /** For loops of so many rounds a second of this node's time. @throws RangeError unless `frequency` is above 0 */
  createRate(frequency: number): Rate {
    this.alive();
    return new Rate(this.clock, frequency);
  }

  createCallbackGroup(type: "exclusive" | "reentrant" = "exclusive"): CallbackGroup {
    return new CallbackGroup(type);
  }

  /** For the parameters of another node, of this node's namespace if its name is relative. */
  parameterClient(node: string): ParameterClient {
    return new ParameterClient(this, node);
  }

  /** The full name of a topic, remapped. @throws InvalidNameError */
  resolveTopicName(name: string): string {
    return this.#resolve(name, "topic");
  }

  /** The full name of a service, remapped. @throws InvalidNameError */
  resolveServiceName(name: string): string {
    return this.#resolve(name, "service");
  }

  #resolve(name: string, kind: "topic" | "service"): string {
    const owner = { name: this.name, namespace: this.namespace };
    return remapName(expandName(name, owner, `${kind} name`), kind, owner, this.#setup.remaps);
  }

  /** Takes exceptions of callbacks from here on; by default they are logged. A node outlives them. */
  set onError(handler: (failure: CallbackFailure) => void) {
    called(handler);
    this.#onError = handler;
  }

  /**
   * Ends everything the node has: loops end, waits reject with NodeDestroyedError, callbacks are no longer called.
   * Resolves when it is gone from the graph.
   */
  async destroy(): Promise<void> {
    if (this.isDestroyed) return;
    this.executor?.remove(this);
    this.end();
    this.clock.close();
    for (const endpoint of [...this.#endpoints.keys()]) endpoint.destroy();
    this.hostNode.dispose();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.destroy();
  }

  readonly #owner = {
    wake: (entity: Entity) => this.executor?.wake(entity),
    report: (error: unknown, source: string) => this.#report(error, source),
    forget: (gone: object) => {
      this.entities.delete(gone as Entity);
      this.#endpoints.get(gone as Endpoint)?.destroy();
      this.#endpoints.delete(gone as Endpoint);
    },
  };

  #report(error: unknown, source: string): void {
    if (this.isDestroyed && (error as Error | undefined)?.name === "NodeDestroyedError") return;
    try {
      this.#onError({ node: this.fullyQualifiedName, source, error });
    } catch (second) {
      process.emitWarning(second instanceof Error ? second : String(second));
    }
  }

  /** @internal Of a callback that no executor runs. */
  reportError(error: unknown, source: string): void {
    this.#report(error, source);
  }

  /** @internal */
  protected override ownEnds(): Iterable<object> {
    return this.#endpoints.keys();
  }

  #own<T extends Endpoint>(endpoint: T, events?: EventQueue): T {
    this.#endpoints.set(endpoint, events);
    return endpoint;
  }

  #enlist<T extends Entity & Endpoint>(entity: T, events?: EventQueue): T {
    this.entities.add(entity);
    if (entity.isReady()) entity.wake();
    return this.#own(entity, events);
  }

  /** For the host; events of quality of service go to their callback, or what keeps messages away is logged. */
  #events(
    { qos, onEvent, group }: CreateOptions & { qos: QoSProfile },
    source: string,
  ): [EntityOptions, EventQueue?] {
    if (!onEvent) {
      const warn = (event: QoSEvent) => {
        if (event.type === "incompatible_qos" && !this.isDestroyed)
          this.logger.warn(
            `${source}: another end has incompatible QoS, no message will pass: ${event.policy}`,
          );
      };
      return [{ qos, onEvent: warn }];
    }
    called(onEvent);
    const queue = new EventQueue(source, onEvent, group ?? this.defaultCallbackGroup, this.#owner);
    this.entities.add(queue);
    return [{ qos, onEvent: queue.push }, queue];
  }

  #logSink(): LogSink {
    const { onLog, rosout, logLevels } = this.#setup;
    const type = msg("rcl_interfaces/msg/Log");
    const publisher = rosout ? this.createPublisher(type, "/rosout", qos.rosout) : undefined;
    return {
      nanoseconds: () => this.clock.nanoseconds(),
      places: new Map(),
      levels: logLevels,
      write: (record) => {
        if (onLog) onLog(record);
        else process.stderr.write(`${formatLog(record)}\n`);
        if (this.isDestroyed) return;
        const { name, file, line, function: where } = record;
        const stamp = Time.fromNanoseconds(record.stamp).toMessage();
        const level = LOG_LEVELS[record.level];
        publisher?.publish({ stamp, level, name, msg: record.message, file, function: where, line });
      },
    };
  }
}

function called(callback: unknown): void {
  if (typeof callback !== "function")
    throw new TypeError(`a callback is a function, not ${String(callback)}`);
}

const OPTIONS = new Set(["qos", "group", "onEvent", "onAnswered", "signal"]);

type AnyOptions<Request> = ServiceOptions<Request> & SubscribeOptions;

/** Options apart from the profile alone, which may stand for them. */
function split<Request>(
  options: QoSInput | CreateOptions | AnyOptions<Request> = {},
  base: QoSProfile = qos.default,
) {
  const isProfile = typeof options === "number" || Object.keys(options).every((key) => !OPTIONS.has(key));
  const given = (isProfile ? {} : options) as AnyOptions<Request>;
  return { ...given, qos: resolveQoS(isProfile ? (options as QoSInput) : given.qos, base) };
}
