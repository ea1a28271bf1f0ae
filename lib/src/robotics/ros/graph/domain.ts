/**
 * A domain in this process: who is in it and which ends match. Its hosts are participants as in DDS; those of other
 * processes come through peers. Domains of different numbers never meet.
 */

import { incompatiblePolicy } from "../compatible-qos.js";
import type { NamesAndTypes } from "../host.js";
import { type EndpointData, type Reader, type TakingReader, Writer } from "./endpoint.js";
import type { Peer } from "./peer.js";
import { soon } from "./turn.js";

export interface NodeData {
  readonly id: string;
  readonly name: string;
  readonly namespace: string;
}

/** A host. */
export interface Participant {
  readonly id: string;
  /** Seconds of silence after which one that is elsewhere is taken for gone. */
  readonly lease: number;
  /** The way to it; null: it is in this process. */
  readonly via: Peer | null;
  readonly nodes: Map<string, NodeData>;
  readonly endpoints: Map<string, Writer | Reader>;
  /** When it was last heard of, if it is elsewhere; milliseconds of its link's clock. */
  heard: number;
}

/** A name that no other process makes. */
export function uniqueId(): string {
  return crypto.randomUUID().replaceAll("-", "").slice(0, 16);
}

export class Domain {
  private static readonly known = new Map<string, Domain>();

  /** The one of this number, that all hosts of this process share; `network` sets hosts apart that must not meet. */
  static of(number: number, network: string): Domain {
    const key = `${number} ${network}`;
    let domain = Domain.known.get(key);
    if (!domain) {
      domain = new Domain(number, () => Domain.known.delete(key));
      Domain.known.set(key, domain);
    }
    return domain;
  }

  readonly id = uniqueId();
  readonly participants = new Map<string, Participant>();
  readonly endpoints = new Map<string, Writer | Reader>();
  readonly peers = new Set<Peer>();
  private readonly topics = new Map<
    string,
    { readonly writers: Set<Writer>; readonly readers: Set<Reader> }
  >();
  private readonly listeners = new Set<() => void>();
  private isChangeTold = true;

  private constructor(
    readonly number: number,
    private readonly forget: () => void,
  ) {}

  /** Announces a participant to everybody. */
  join(participant: Participant): void {
    this.participants.set(participant.id, participant);
    for (const peer of this.peers) if (peer !== participant.via) peer.joined(participant);
    this.changed();
  }

  /** It said goodbye, or was not heard of for too long. */
  leave(participant: Participant): void {
    if (this.participants.get(participant.id) !== participant) return;
    for (const endpoint of [...participant.endpoints.values()]) this.unmatch(endpoint);
    this.participants.delete(participant.id);
    for (const peer of this.peers) if (peer !== participant.via) peer.left(participant);
    this.changed();
    if (this.participants.size === 0) this.forget();
  }

  addNode(participant: Participant, node: NodeData): void {
    participant.nodes.set(node.id, node);
    for (const peer of this.peers) if (peer !== participant.via) peer.nodeAdded(participant, node);
    this.changed();
  }

  removeNode(participant: Participant, id: string): void {
    if (!participant.nodes.delete(id)) return;
    for (const peer of this.peers) if (peer !== participant.via) peer.nodeRemoved(participant, id);
    this.changed();
  }

  add(endpoint: Writer | Reader): void {
    const { participant, data } = endpoint;
    participant.endpoints.set(data.id, endpoint);
    this.endpoints.set(data.id, endpoint);
    // others know it before its first sample comes, or its question for a writer's history
    for (const peer of this.peers) if (peer !== participant.via) peer.endpointAdded(endpoint);
    let topic = this.topics.get(data.topic);
    if (!topic) {
      topic = { writers: new Set(), readers: new Set() };
      this.topics.set(data.topic, topic);
    }
    if (endpoint instanceof Writer) {
      topic.writers.add(endpoint);
      for (const reader of topic.readers) this.match(endpoint, reader);
    } else {
      topic.readers.add(endpoint);
      for (const writer of topic.writers) this.match(writer, endpoint);
    }
    this.changed();
  }

  remove(endpoint: Writer | Reader): void {
    if (this.endpoints.get(endpoint.id) !== endpoint) return;
    this.unmatch(endpoint);
    for (const peer of this.peers) if (peer !== endpoint.via) peer.endpointRemoved(endpoint);
    this.changed();
  }

  aliveChanged(writer: Writer): void {
    for (const peer of this.peers) if (peer !== writer.via) peer.aliveChanged(writer);
  }

  /** Calls `listener` soon after nodes or endpoints came or went; returns what ends it. */
  onChange(listener: () => void): () => void {
    const own = (): void => listener();
    this.listeners.add(own);
    return () => this.listeners.delete(own);
  }

  nodes(): NodeData[] {
    return [...this.participants.values()].flatMap((participant) => [...participant.nodes.values()]);
  }

  /** Topics, or services under `service`, with the types that anybody uses for them. */
  namesAndTypes(kind: "topic" | "service"): NamesAndTypes[] {
    const types = new Map<string, Set<string>>();
    for (const { data } of this.endpoints.values()) {
      if ((data.service === null) !== (kind === "topic")) continue;
      const { name, type } = data.service ?? { name: data.topic.slice(2), type: data.type };
      const known = types.get(name);
      if (known) known.add(type);
      else types.set(name, new Set([type]));
    }
    return [...types]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, found]) => ({ name, types: [...found].sort() }));
  }

  endpointsOf(topic: string, role: EndpointData["role"]): (Writer | Reader)[] {
    const found = this.topics.get(topic);
    return found ? [...(role === "writer" ? found.writers : found.readers)] : [];
  }

  private match(writer: Writer, reader: Reader): void {
    if (writer.data.type !== reader.data.type) return; // DDS: the same topic's name, but another topic
    const policy = incompatiblePolicy(writer.data.qos, reader.data.qos);
    if (policy !== null) {
      writer.incompatible(policy);
      reader.incompatible(policy);
      return;
    }
    reader.matched(writer);
    writer.matched(reader);
    const keeps = writer.data.qos.durability === "transient_local";
    if (keeps && reader.data.qos.durability === "transient_local" && reader.via === null)
      writer.replay(reader as TakingReader, null);
  }

  private unmatch(endpoint: Writer | Reader): void {
    const { data } = endpoint;
    endpoint.participant.endpoints.delete(data.id);
    this.endpoints.delete(data.id);
    const topic = this.topics.get(data.topic);
    if (endpoint instanceof Writer) {
      topic?.writers.delete(endpoint);
      for (const reader of [...endpoint.matches]) {
        endpoint.unmatched(reader);
        reader.unmatched(endpoint);
      }
    } else {
      topic?.readers.delete(endpoint);
      for (const writer of [...endpoint.matches]) {
        endpoint.unmatched(writer);
        writer.unmatched(endpoint);
      }
    }
    if (topic && topic.writers.size + topic.readers.size === 0) this.topics.delete(data.topic);
  }

  private changed(): void {
    if (!this.isChangeTold || this.listeners.size === 0) return;
    this.isChangeTold = false;
    soon({
      run: () => {
        this.isChangeTold = true;
        for (const listener of [...this.listeners]) listener();
      },
    });
  }
}
