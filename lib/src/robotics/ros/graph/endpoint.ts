/** Writers and readers, the ends that a domain matches: what topics, services and clients are made of. */
import type { QoSProfile } from "../host.js";
import type { Codec } from "./copy.js";
import type { Domain, Participant } from "./domain.js";
import type { Peer } from "./peer.js";
import type { Sample } from "./sample.js";

/** An endpoint as others hear of it. */
export interface EndpointData {
  readonly id: string;
  readonly node: string;
  readonly role: "writer" | "reader";
  /** Mangled as ROS 2 does for DDS: `rt/…` of a topic, `rq/…Request` and `rr/…Reply` of a service. */
  readonly topic: string;
  readonly type: string;
  readonly qos: QoSProfile;
  /** Of a request or reply: the service that it belongs to. */
  readonly service: { readonly name: string; readonly type: string } | null;
}

abstract class End {
  constructor(
    readonly domain: Domain,
    readonly participant: Participant,
    readonly data: EndpointData,
  ) {}

  get id(): string {
    return this.data.id;
  }

  /** The way to it; null: it is in this process. */
  get via(): Peer | null {
    return this.participant.via;
  }

  /** Another end of the same topic would fit but for one policy. */
  incompatible(_policy: keyof QoSProfile): void {}
}

export abstract class Writer extends End {
  readonly matches = new Set<Reader>();
  /** Whether it keeps the promise of its liveliness; null before a `manual_by_topic` one made it. */
  alive: boolean | null = null;
  private table: { readonly readers: readonly TakingReader[]; readonly peers: readonly Peer[] } | null = null;

  matched(reader: Reader): void {
    this.matches.add(reader);
    this.table = null;
  }

  unmatched(reader: Reader): void {
    this.matches.delete(reader);
    this.table = null;
  }

  /** How its messages are copied; null: they came from another process, and are nobody else's. */
  abstract readonly codec: Codec | null;

  /** Sends what it keeps to a reader that came late: one here, or one that asked through `peer`. */
  abstract replay(reader: TakingReader | string, peer: Peer | null): void;

  /** Where its samples go: readers here, and the ways to readers elsewhere. */
  protected get routes(): { readonly readers: readonly TakingReader[]; readonly peers: readonly Peer[] } {
    if (!this.table) {
      const readers: TakingReader[] = [];
      const peers = new Set<Peer>();
      for (const reader of this.matches) {
        if (reader.via === null) readers.push(reader as TakingReader);
        else if (reader.via !== this.via) peers.add(reader.via);
      }
      this.table = { readers, peers: [...peers] };
    }
    return this.table;
  }

  get peers(): readonly Peer[] {
    return this.routes.peers;
  }

  /** @param to the one reader that it is for; null: all that match */
  protected distribute(sample: Sample, to: string | null): void {
    if (to !== null) {
      const reader = this.domain.endpoints.get(to);
      if (reader instanceof TakingReader) reader.accept(sample, this);
      else if (reader && reader.via !== this.via) reader.via?.sample(this, sample, to);
      return;
    }
    const { readers, peers } = this.routes;
    for (const reader of readers) reader.accept(sample, this);
    for (const peer of peers) peer.sample(this, sample, null);
  }

  protected setAlive(alive: boolean | null): void {
    if (alive === this.alive) return;
    this.alive = alive;
    for (const reader of this.matches) reader.livelinessChanged();
    this.domain.aliveChanged(this);
  }
}

export abstract class Reader extends End {
  readonly matches = new Set<Writer>();

  matched(writer: Writer): void {
    this.matches.add(writer);
  }

  unmatched(writer: Writer): void {
    this.matches.delete(writer);
  }

  /** That of a matched writer. */
  livelinessChanged(): void {}
}

/** A reader in this process. */
export abstract class TakingReader extends Reader {
  abstract readonly codec: Codec;
  abstract accept(sample: Sample, writer: Writer): void;
  /** The answer to a late joiner's question. */
  abstract acceptHistory(samples: readonly Sample[], writer: Writer): void;
}
