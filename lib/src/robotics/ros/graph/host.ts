/** The host of the in-process graph: nodes that meet without ROS 2, by ROS 2's rules. */
import type { ChildProcess } from "node:child_process";
import type { MessagePort, Worker } from "node:worker_threads";
import { DisposedError, ValueError } from "../../../core/errors.js";
import type { RosHost } from "../host.js";
import { type GraphClock, systemClock } from "./clock.js";
import { Domain, type Participant, uniqueId } from "./domain.js";
import type { Channel } from "./link/frames.js";
import { LinkedPeer } from "./link/peer.js";
import { portChannel, workerChannel } from "./link/ports.js";
import { childChannel, parentChannel } from "./link/process.js";
import { dial, type Listening, serve } from "./link/tcp.js";
import { GraphNode } from "./node.js";

/** A link with another process's or thread's graph of the same domain. */
export interface GraphLink {
  /** Resolves when both sides know each other; rejects with an MlsysError if they can't be linked. */
  readonly opened: Promise<void>;
  readonly closed: Promise<void>;
  close(): void;
}

export interface TcpOptions {
  /** At least 16 characters, the same at both ends; what is said is encrypted then. Needed beyond this machine. */
  readonly secret?: string;
}

export interface GraphOptions {
  /** 0 to 232, as in ROS 2; default 0. Hosts of different domains never meet. */
  readonly domain?: number;
  /** Hosts of one process and domain meet unless they name different networks; default "". */
  readonly network?: string;
  /** Of the timers of quality of service and of discovery; default the system's. */
  readonly clock?: GraphClock;
  /** Seconds between two announcements to linked processes; default 1. */
  readonly announceInterval?: number;
  /** Seconds of silence after which other processes take this host for gone; default 20. */
  readonly lease?: number;
}

/**
 * A host of the in-process graph.
 * @throws ValueError for a domain that ROS 2 doesn't have
 * @example
 * const host = robotics.ros.graphHost({ domain: 7 });
 * const node = host.createNode("talker", "/");
 */
export function graphHost(options: GraphOptions = {}): GraphHost {
  return new GraphHost(options);
}

/** Seconds for what still waits at a shutdown. */
const GOODBYE = 1;

export class GraphHost implements RosHost {
  readonly kind = "graph";
  readonly domain: number;
  private readonly graph: Domain;
  private readonly participant: Participant;
  private readonly clock: GraphClock;
  private readonly announceInterval: number;
  private readonly nodes = new Set<GraphNode>();
  private readonly links = new Set<LinkedPeer>();
  private readonly listening = new Set<Listening>();
  private count = 0;
  private isShut = false;

  constructor(options: GraphOptions) {
    const { domain = 0, network = "", clock = systemClock, announceInterval = 1, lease = 20 } = options;
    if (!Number.isInteger(domain) || domain < 0 || domain > 232)
      throw new ValueError(`ROS host: a domain is a whole number from 0 to 232, got ${domain}`);
    this.domain = domain;
    this.clock = clock;
    this.announceInterval = announceInterval;
    this.graph = Domain.of(domain, network);
    this.participant = { id: uniqueId(), lease, via: null, nodes: new Map(), endpoints: new Map(), heard: 0 };
    this.graph.join(this.participant);
  }

  createNode(name: string, namespace: string): GraphNode {
    if (this.isShut)
      throw new DisposedError(`ROS host: createNode(${JSON.stringify(name)}) after shutdown()`);
    const { graph, participant, clock } = this;
    const ended = (node: GraphNode): boolean => this.nodes.delete(node);
    const node = new GraphNode(name, namespace, graph, participant, ++this.count, clock, ended);
    this.nodes.add(node);
    return node;
  }

  /**
   * Links the domain of this host with the one at the port's other end: nodes there and here meet as if they were in one process.
   * Links make a tree; a link is over when this host shuts down or the other end is gone.
   * @example
   * const { port1, port2 } = new MessageChannel();
   * here.link(port1);
   * await there.link(port2).opened;
   */
  link(port: MessagePort): GraphLink {
    return this.join(portChannel(port, this.domain));
  }

  /** Links with a worker thread, whose code calls `linkToParent`. */
  linkWorker(worker: Worker): GraphLink {
    return this.join(workerChannel(worker, this.domain));
  }

  /**
   * Links with a child process, whose code calls `linkToParent`.
   * @param child started with an IPC channel and `serialization: "advanced"`
   * @throws ValueError if it has no channel
   */
  linkChild(child: ChildProcess): GraphLink {
    return this.join(childChannel(child, this.domain));
  }

  /**
   * Links with the process or thread that started this one, and keeps this one alive until that one ends or the link is closed.
   * @throws ValueError if there is none, or none that can be spoken to
   */
  linkToParent(): GraphLink {
    return this.join(parentChannel(this.domain));
  }

  /**
   * Takes links from other processes.
   * @param address `tcp://127.0.0.1:PORT`, port `*` for a free one; beyond this machine only with a secret
   * @returns the address to `connect` to
   * @throws ValueError, MlsysError if it can't be bound
   */
  async listen(address = "tcp://127.0.0.1:*", { secret }: TcpOptions = {}): Promise<string> {
    const listening = await serve(address, secret, (channel) => this.join(channel));
    if (this.isShut) listening.close();
    else this.listening.add(listening);
    return listening.address;
  }

  /** Links with a process that listens, and again whenever the connection broke. @throws ValueError */
  async connect(address: string, { secret }: TcpOptions = {}): Promise<GraphLink> {
    return this.join(await dial(address, secret));
  }

  async shutdown(): Promise<void> {
    if (this.isShut) return;
    this.isShut = true;
    for (const node of [...this.nodes]) node.dispose();
    // what was published goes out, if the other side takes it
    await Promise.all([...this.graph.peers].map((peer) => peer.drain(GOODBYE)));
    this.graph.leave(this.participant);
    for (const listening of this.listening) listening.close();
    for (const link of [...this.links]) link.close("its host was shut down");
  }

  private join(channel: Channel): GraphLink {
    if (this.isShut) {
      channel.close();
      throw new DisposedError("ROS host: linked after shutdown()");
    }
    const { clock, announceInterval } = this;
    const link = new LinkedPeer(this.graph, channel, { clock, announceInterval });
    this.links.add(link);
    void link.closed.then(() => this.links.delete(link));
    return link;
  }
}
