/** The host of the in-process graph: nodes that meet without ROS 2, by ROS 2's rules. */
import { DisposedError, ValueError } from "../../../core/errors.js";
import type { RosHost } from "../host.js";
import { type GraphClock, systemClock } from "./clock.js";
import { Domain, type Participant, uniqueId } from "./domain.js";
import { GraphNode } from "./node.js";

export interface GraphOptions {
  /** 0 to 232, as in ROS 2; default 0. Hosts of different domains never meet. */
  readonly domain?: number;
  /** Hosts of one process and domain meet unless they name different networks; default "". */
  readonly network?: string;
  /** Of the timers of quality of service and of discovery; default the system's. */
  readonly clock?: GraphClock;
  /** Seconds between two announcements to linked processes; default 1. */
  readonly announceInterval?: number;
  /** Seconds of silence after which other processes take this host for gone; default 10. */
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

export class GraphHost implements RosHost {
  readonly kind = "graph";
  readonly domain: number;
  private readonly graph: Domain;
  private readonly participant: Participant;
  private readonly clock: GraphClock;
  private readonly nodes = new Set<GraphNode>();
  private count = 0;
  private isShut = false;

  constructor(options: GraphOptions) {
    const { domain = 0, network = "", clock = systemClock, lease = 10 } = options;
    if (!Number.isInteger(domain) || domain < 0 || domain > 232)
      throw new ValueError(`ROS host: a domain is a whole number from 0 to 232, got ${domain}`);
    this.domain = domain;
    this.clock = clock;
    this.graph = Domain.of(domain, network);
    this.participant = { id: uniqueId(), lease, via: null, nodes: new Map(), endpoints: new Map() };
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

  async shutdown(): Promise<void> {
    if (this.isShut) return;
    this.isShut = true;
    for (const node of [...this.nodes]) node.dispose();
    this.graph.leave(this.participant);
  }
}
