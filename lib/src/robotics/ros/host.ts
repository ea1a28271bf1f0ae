/**
 * The seam between what users hold (nodes, parameters, actions) and what carries messages: the in-process graph,
 * or ROS 2's own client library. Names that cross it are fully resolved (`/namespace/name`), messages are plain
 * objects as `MessageType.create` makes them.
 */
import type { MessageType, ServiceType } from "./interfaces/types.js";

/** Quality of service, ROS 2's names; durations in seconds, `Infinity` for none. */
export interface QoSProfile {
  readonly history: "keep_last" | "keep_all";
  /** Messages kept with `keep_last`. */
  readonly depth: number;
  readonly reliability: "reliable" | "best_effort";
  readonly durability: "volatile" | "transient_local";
  /** Longest time between two messages. */
  readonly deadline: number;
  /** Age after which a message is not delivered. */
  readonly lifespan: number;
  readonly liveliness: "automatic" | "manual_by_topic";
  readonly livelinessLease: number;
}

/** Events of quality of service, at a publisher (offered) or a subscription (requested). */
export type QoSEvent =
  | { readonly type: "incompatible_qos"; readonly policy: keyof QoSProfile; readonly total: number }
  | { readonly type: "deadline_missed"; readonly total: number }
  | { readonly type: "liveliness_lost"; readonly total: number }
  | { readonly type: "liveliness_changed"; readonly alive: number; readonly notAlive: number }
  | { readonly type: "message_lost"; readonly total: number }
  | { readonly type: "matched"; readonly current: number };

export interface EntityOptions {
  readonly qos: QoSProfile;
  readonly onEvent?: (event: QoSEvent) => void;
}

/** Beside a received message; times in nanoseconds since 1970. */
export interface MessageInfo {
  readonly sourceTimestamp: bigint;
  readonly receivedTimestamp: bigint;
}

export interface HostPublisher<M> {
  readonly topic: string;
  readonly subscriptionCount: number;
  /**
   * @param isOwned nobody else holds the message or will change it, so the host need not copy it
   * @throws if the entity is disposed
   */
  publish(message: M, isOwned?: boolean): void;
  /** For `manual_by_topic`. */
  assertLiveliness(): void;
  /** Resolves when every reliable subscription known now has the messages published so far; false on timeout (seconds). */
  waitForAllAcked(timeout: number): Promise<boolean>;
  dispose(): void;
}

export interface HostSubscription {
  readonly topic: string;
  readonly publisherCount: number;
  dispose(): void;
}

export interface HostService {
  readonly name: string;
  dispose(): void;
}

export interface HostClient<Request, Response> {
  readonly name: string;
  isServiceAvailable(): boolean;
  /** Rejects when the client is disposed, or when `signal` is aborted (the reply is then dropped). */
  call(request: Request, signal?: AbortSignal): Promise<Response>;
  dispose(): void;
}

export interface EndpointInfo {
  readonly nodeName: string;
  readonly nodeNamespace: string;
  readonly type: string;
  readonly qos: QoSProfile;
}

export interface NamesAndTypes {
  readonly name: string;
  readonly types: readonly string[];
}

/** A node as its host knows it. Callbacks may come at any turn of the event loop; the caller queues them. */
export interface HostNode {
  readonly name: string;
  readonly namespace: string;
  createPublisher<M>(type: MessageType<M>, topic: string, options: EntityOptions): HostPublisher<M>;
  createSubscription<M>(
    type: MessageType<M>,
    topic: string,
    options: EntityOptions,
    onMessage: (message: M, info: MessageInfo) => void,
  ): HostSubscription;
  /**
   * @param onRequest one that it rejects gets no answer, as with rclpy
   * @param onAnswered called when the answer to a request has left for its client, whose other ends are known by then; or
   * when it was given up
   */
  createService<Request, Response>(
    type: ServiceType<Request, Response>,
    name: string,
    options: EntityOptions,
    onRequest: (request: Request) => Promise<Response>,
    onAnswered?: (request: Request) => void,
  ): HostService;
  createClient<Request, Response>(
    type: ServiceType<Request, Response>,
    name: string,
    options: EntityOptions,
  ): HostClient<Request, Response>;

  nodeNames(): readonly { readonly name: string; readonly namespace: string }[];
  topicNamesAndTypes(): readonly NamesAndTypes[];
  serviceNamesAndTypes(): readonly NamesAndTypes[];
  publishersInfo(topic: string): readonly EndpointInfo[];
  subscriptionsInfo(topic: string): readonly EndpointInfo[];
  /** Called after nodes, topics or services came or went; returns what ends it. */
  onGraphChange(listener: () => void): () => void;
  dispose(): void;
}

/** What carries messages. */
export interface RosHost {
  readonly kind: "graph" | "rclnodejs";
  readonly domain: number;
  createNode(name: string, namespace: string): HostNode;
  /** Disposes of every node. */
  shutdown(): Promise<void>;
}
