/** A node of the in-process graph. */
import { DisposedError } from "../../../core/errors.js";
import type {
  EndpointInfo,
  EntityOptions,
  HostClient,
  HostNode,
  HostPublisher,
  HostService,
  HostSubscription,
  MessageInfo,
  NamesAndTypes,
} from "../host.js";
import type { MessageType, ServiceType } from "../interfaces/types.js";
import type { GraphClock } from "./clock.js";
import type { Domain, Participant } from "./domain.js";
import type { EndpointData } from "./endpoint.js";
import { LocalReader } from "./reader.js";
import { type Ends, GraphClient, GraphService } from "./service.js";
import { LocalWriter } from "./writer.js";

export class GraphNode implements HostNode {
  private readonly owned = new Set<{ dispose(): void }>();
  private readonly endings = new Set<() => void>();
  private readonly id: string;
  private endpoints = 0;
  private isDisposed = false;

  constructor(
    readonly name: string,
    readonly namespace: string,
    private readonly domain: Domain,
    private readonly participant: Participant,
    number: number,
    private readonly clock: GraphClock,
    private readonly onDispose: (node: GraphNode) => void,
  ) {
    this.id = `${participant.id}.${number}`;
    domain.addNode(participant, { id: this.id, name, namespace });
  }

  createPublisher<M>(type: MessageType<M>, topic: string, options: EntityOptions): HostPublisher<M> {
    this.check("createPublisher");
    const { domain, participant, clock } = this;
    const data = this.endpoint("writer", `rt${topic}`, type.name, options, null);
    const writer = new LocalWriter(domain, participant, data, type, clock, options.onEvent);
    const publisher = {
      topic,
      get subscriptionCount() {
        return writer.matches.size;
      },
      publish: (message: M, isOwned = false) => writer.publish(message, null, null, isOwned),
      assertLiveliness: () => writer.assertLiveliness(),
      waitForAllAcked: (timeout: number) => writer.acked(timeout),
      dispose: () => {
        this.owned.delete(publisher);
        writer.dispose();
      },
    };
    this.owned.add(publisher);
    return publisher;
  }

  createSubscription<M>(
    type: MessageType<M>,
    topic: string,
    options: EntityOptions,
    onMessage: (message: M, info: MessageInfo) => void,
  ): HostSubscription {
    this.check("createSubscription");
    const { domain, participant, clock } = this;
    const data = this.endpoint("reader", `rt${topic}`, type.name, options, null);
    const take = (message: unknown, info: MessageInfo): void => onMessage(message as M, info);
    const reader = new LocalReader(domain, participant, data, type, clock, options.onEvent, take);
    const subscription = {
      topic,
      get publisherCount() {
        return reader.matches.size;
      },
      dispose: () => {
        this.owned.delete(subscription);
        reader.dispose();
      },
    };
    this.owned.add(subscription);
    return subscription;
  }

  createService<Request, Response>(
    type: ServiceType<Request, Response>,
    name: string,
    options: EntityOptions,
    onRequest: (request: Request) => Promise<Response>,
    onAnswered?: (request: Request) => void,
  ): HostService {
    this.check("createService");
    const ended = (): boolean => this.owned.delete(service);
    const service = new GraphService(type, name, options, this.ends, { onRequest, onAnswered }, ended);
    this.owned.add(service);
    return service;
  }

  createClient<Request, Response>(
    type: ServiceType<Request, Response>,
    name: string,
    options: EntityOptions,
  ): HostClient<Request, Response> {
    this.check("createClient");
    const ended = (): boolean => this.owned.delete(client);
    const client = new GraphClient(type, name, options, this.ends, ended);
    this.owned.add(client);
    return client;
  }

  nodeNames(): { name: string; namespace: string }[] {
    return this.domain.nodes().map(({ name, namespace }) => ({ name, namespace }));
  }

  topicNamesAndTypes(): NamesAndTypes[] {
    return this.domain.namesAndTypes("topic");
  }

  serviceNamesAndTypes(): NamesAndTypes[] {
    return this.domain.namesAndTypes("service");
  }

  publishersInfo(topic: string): EndpointInfo[] {
    return this.info(topic, "writer");
  }

  subscriptionsInfo(topic: string): EndpointInfo[] {
    return this.info(topic, "reader");
  }

  onGraphChange(listener: () => void): () => void {
    this.check("onGraphChange");
    const end = this.domain.onChange(listener);
    const stop = (): void => {
      this.endings.delete(stop);
      end();
    };
    this.endings.add(stop);
    return stop;
  }

  dispose(): void {
    if (this.isDisposed) return;
    this.isDisposed = true;
    for (const end of [...this.endings]) end();
    for (const owned of [...this.owned]) owned.dispose();
    this.domain.removeNode(this.participant, this.id);
    this.onDispose(this);
  }

  private readonly ends: Ends = {
    writer: (topic, type, service, options) => {
      const data = this.endpoint("writer", topic, type.name, options, service);
      return new LocalWriter(this.domain, this.participant, data, type, this.clock, options.onEvent);
    },
    reader: (topic, type, service, options, onSample) => {
      const data = this.endpoint("reader", topic, type.name, options, service);
      return new LocalReader(
        this.domain,
        this.participant,
        data,
        type,
        this.clock,
        options.onEvent,
        (message, _info, related) => related && onSample(message, related),
      );
    },
  };

  private endpoint(
    role: EndpointData["role"],
    topic: string,
    type: string,
    { qos }: EntityOptions,
    service: EndpointData["service"],
  ): EndpointData {
    return { id: `${this.id}.${++this.endpoints}`, node: this.id, role, topic, type, qos, service };
  }

  private info(topic: string, role: EndpointData["role"]): EndpointInfo[] {
    return this.domain.endpointsOf(`rt${topic}`, role).map(({ data, participant }) => {
      const node = participant.nodes.get(data.node);
      const { type, qos } = data;
      return { nodeName: node?.name ?? "", nodeNamespace: node?.namespace ?? "", type, qos };
    });
  }

  private check(what: string): void {
    if (this.isDisposed) throw new DisposedError(`node ${this.name}: ${what} after dispose()`);
  }
}
