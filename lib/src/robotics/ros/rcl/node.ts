/** A node of ROS 2. */
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
import type { Handle, NativeEndpoint, RclAddon } from "./addon.js";
import { fromNative } from "./qos.js";
import { RclClient, RclService } from "./service.js";
import { type Ground, RclPublisher, RclSubscription } from "./topic.js";
import type { TypeSupports } from "./types.js";

/** What a node needs of its host. */
export interface NodeGround {
  readonly addon: RclAddon;
  readonly context: Handle;
  readonly types: TypeSupports;
  /** Called with every change of the graph; returns what ends it. */
  onGraphChange(listener: () => void): () => void;
  /** Before the node goes, while its handle is whole. */
  ending(node: RclNode): void;
}

export class RclNode implements HostNode {
  readonly handle: Handle;
  private readonly ends = new Set<{ dispose(): void }>();
  private readonly watches = new Set<() => void>();
  private readonly ground: Ground;
  private isDisposed = false;

  constructor(
    readonly name: string,
    readonly namespace: string,
    private readonly host: NodeGround,
  ) {
    const { addon, context } = host;
    this.handle = addon.createNode(name, namespace, context, [], false, null);
    this.ground = { addon, node: this.handle, ended: (end) => this.ends.delete(end) };
  }

  createPublisher<M>(type: MessageType<M>, topic: string, options: EntityOptions): HostPublisher<M> {
    this.check("createPublisher");
    const native = this.host.types.message(type as MessageType);
    return this.own(new RclPublisher(this.ground, type, native, topic, options));
  }

  createSubscription<M>(
    type: MessageType<M>,
    topic: string,
    options: EntityOptions,
    onMessage: (message: M, info: MessageInfo) => void,
  ): HostSubscription {
    this.check("createSubscription");
    const native = this.host.types.message(type as MessageType);
    return this.own(new RclSubscription(this.ground, type, native, topic, options, onMessage));
  }

  createService<Request, Response>(
    type: ServiceType<Request, Response>,
    name: string,
    options: EntityOptions,
    onRequest: (request: Request) => Promise<Response>,
    onAnswered?: (request: Request) => void,
  ): HostService {
    this.check("createService");
    const native = this.host.types.service(type as ServiceType);
    return this.own(new RclService(this.ground, type, native, name, options, onRequest, onAnswered));
  }

  createClient<Request, Response>(
    type: ServiceType<Request, Response>,
    name: string,
    options: EntityOptions,
  ): HostClient<Request, Response> {
    this.check("createClient");
    const native = this.host.types.service(type as ServiceType);
    return this.own(new RclClient(this.ground, type, native, name, options));
  }

  nodeNames(): { name: string; namespace: string }[] {
    this.check("nodeNames");
    return this.host.addon.getNodeNames(this.handle, false);
  }

  topicNamesAndTypes(): NamesAndTypes[] {
    this.check("topicNamesAndTypes");
    return this.host.addon.getTopicNamesAndTypes(this.handle, false);
  }

  serviceNamesAndTypes(): NamesAndTypes[] {
    this.check("serviceNamesAndTypes");
    return this.host.addon.getServiceNamesAndTypes(this.handle);
  }

  publishersInfo(topic: string): EndpointInfo[] {
    this.check("publishersInfo");
    return this.host.addon.getPublishersInfoByTopic(this.handle, topic, false).map(endpointInfo);
  }

  subscriptionsInfo(topic: string): EndpointInfo[] {
    this.check("subscriptionsInfo");
    return this.host.addon.getSubscriptionsInfoByTopic(this.handle, topic, false).map(endpointInfo);
  }

  onGraphChange(listener: () => void): () => void {
    this.check("onGraphChange");
    const end = this.host.onGraphChange(listener);
    const stop = (): void => {
      this.watches.delete(stop);
      end();
    };
    this.watches.add(stop);
    return stop;
  }

  dispose(): void {
    if (this.isDisposed) return;
    this.isDisposed = true;
    for (const stop of [...this.watches]) stop();
    for (const end of [...this.ends]) end.dispose();
    this.host.ending(this);
    this.handle.release();
  }

  private own<End extends { dispose(): void }>(end: End): End {
    this.ends.add(end);
    return end;
  }

  private check(what: string): void {
    if (this.isDisposed) throw new DisposedError(`node ${this.name}: ${what} after dispose()`);
  }
}

const endpointInfo = (native: NativeEndpoint): EndpointInfo => ({
  nodeName: native.node_name,
  nodeNamespace: native.node_namespace,
  type: native.topic_type,
  qos: fromNative(native.qos_profile),
});
