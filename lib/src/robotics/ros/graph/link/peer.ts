/**
 * A domain's partner at the other end of a channel. Linked domains make a tree: each tells each neighbour of the participants that
 * it knows from elsewhere, and passes samples on where readers are. Discovery is DDS's: participants are announced when they start,
 * periodically, and when they end; one that isn't heard of for its lease is gone.
 */
import { MlsysError } from "../../../../core/errors.js";
import type { GraphClock } from "../clock.js";
import { type Domain, type NodeData, type Participant, uniqueId } from "../domain.js";
import { type Reader, Writer } from "../endpoint.js";
import type { Peer } from "../peer.js";
import { Sample } from "../sample.js";
import { Flow, frameOf } from "./flow.js";
import {
  type Channel,
  type EndpointFrame,
  type Frame,
  type Frames,
  type SampleFrame,
  VERSION,
} from "./frames.js";
import { Neighbours } from "./neighbours.js";

export interface LinkOptions {
  readonly clock: GraphClock;
  /** Seconds between announcements. */
  readonly announceInterval: number;
}

/** No more often than so many seconds are announcements sent, however short a publisher's lease is. */
const SHORTEST_BEAT = 0.005;

export class LinkedPeer implements Peer {
  /** Resolves when both sides know each other. @throws MlsysError if they can't be linked */
  readonly opened: Promise<void>;
  /** Resolves when the link is over. */
  readonly closed: Promise<void>;
  private readonly session = uniqueId();
  private readonly flow: Flow;
  private readonly neighbours: Neighbours;
  private readonly syncs = new Map<number, () => void>();
  private syncCount = 0;
  /** The other side's session; null: nobody is there. */
  private other: { readonly session: string; readonly peer: string } | null = null;
  private isClosed = false;
  /** Seconds to the next beat. */
  private interval = 0;
  private lastBeat = Number.NEGATIVE_INFINITY;
  private cancelBeat: () => void = () => {};
  private tellOpened: () => void = () => {};
  private tellRefused: (error: Error) => void = () => {};
  private tellClosed: () => void = () => {};

  constructor(
    private readonly domain: Domain,
    private readonly channel: Channel,
    private readonly options: LinkOptions,
  ) {
    this.opened = new Promise((resolve, reject) => {
      this.tellOpened = resolve;
      this.tellRefused = reject;
    });
    this.opened.catch(() => {}); // nobody has to wait for it
    this.closed = new Promise((resolve) => {
      this.tellClosed = resolve;
    });
    this.flow = new Flow(channel);
    this.neighbours = new Neighbours(domain, this, options.clock, options.announceInterval);
    domain.peers.add(this);
    channel.open(
      (frame) => this.receive(frame),
      (isOver, reason = "the other end is gone") => (isOver ? this.close(reason) : this.lost()),
    );
    this.hello(null);
    this.beatLater();
  }

  /** Says goodbye; what still waits for credit is dropped. */
  close(reason = "it was closed"): void {
    this.end(reason, false);
  }

  /** Also where nobody waits for `opened` it is said why nodes don't meet. */
  private refuse(reason: string): void {
    process.emitWarning(`ROS graph: a link is closed: ${reason}`);
    this.end(reason, true);
  }

  private end(reason: string, isRefusal: boolean): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.cancelBeat();
    if (this.other || isRefusal) this.channel.send({ t: "over", reason, isRefusal });
    this.lost();
    this.domain.peers.delete(this);
    this.channel.close();
    this.tellRefused(new MlsysError(`ROS graph: the link didn't open: ${reason}`));
    this.tellClosed();
  }

  /** Resolves when nothing waits for credit any more, or after `seconds`. */
  async drain(seconds: number): Promise<void> {
    const end = performance.now() + seconds * 1000;
    while (!this.flow.isIdle && performance.now() < end)
      await new Promise((resolve) => setTimeout(resolve, 1));
  }

  // What the domain tells.

  joined(participant: Participant): void {
    this.send({
      t: "here",
      participant: {
        id: participant.id,
        lease: participant.lease,
        nodes: [...participant.nodes.values()],
        endpoints: [...participant.endpoints.values()].map(endpointFrame),
      },
    });
  }

  left({ id }: Participant): void {
    this.send({ t: "bye", participant: id });
  }

  nodeAdded({ id }: Participant, node: NodeData): void {
    this.send({ t: "node", participant: id, node });
  }

  nodeRemoved({ id }: Participant, node: string): void {
    this.send({ t: "noNode", participant: id, node });
  }

  endpointAdded(endpoint: Writer | Reader): void {
    this.send({ t: "endpoint", participant: endpoint.participant.id, endpoint: endpointFrame(endpoint) });
    if (endpoint instanceof Writer && endpoint.data.qos.livelinessLease / 3 < this.interval) this.beatLater();
  }

  endpointRemoved({ id }: Writer | Reader): void {
    this.flow.after(id, () => this.send({ t: "noEndpoint", endpoint: id }));
  }

  aliveChanged({ id, alive }: Writer): void {
    this.send({ t: "alive", writer: id, alive });
  }

  sample(writer: Writer, sample: Sample, to: string | null): void {
    if (this.other) this.flow.sample(writer, sample, to);
  }

  history(writer: Writer, reader: string, samples: readonly Sample[]): void {
    this.send({
      t: "past",
      writer: writer.id,
      reader,
      samples: samples.map((sample) => frameOf(writer, sample)),
    });
  }

  askHistory({ id }: Writer, reader: string): void {
    this.send({ t: "ask", writer: id, reader });
  }

  acked({ id: writer }: Writer): Promise<void> {
    return new Promise((resolve) => {
      if (!this.other) return resolve();
      const id = ++this.syncCount;
      this.syncs.set(id, resolve);
      this.flow.after(writer, () => this.send({ t: "sync", id, writer }));
    });
  }

  // What the other side says.

  private readonly handlers: { readonly [T in keyof Frames]: (frame: Frames[T]) => void } = {
    hello: (frame) => this.greeted(frame),
    over: ({ reason, isRefusal }) => {
      if (this.channel.redials && !isRefusal) this.lost();
      else this.end(`the other side ended it: ${reason}`, isRefusal);
    },

    here: ({ participant }) => {
      if (this.neighbours.add(participant)) return;
      this.refuse("the domains are linked already, by another way: links make a tree");
    },
    bye: ({ participant }) => this.neighbours.forget(participant),
    beat: ({ participants }) => {
      for (const id of participants) if (!this.neighbours.heard(id)) this.send({ t: "who", participant: id });
    },
    who: ({ participant: id }) => {
      const participant = this.domain.participants.get(id);
      if (participant && participant.via !== this) this.joined(participant);
    },
    node: ({ participant, node }) => this.neighbours.addNode(participant, node),
    noNode: ({ participant, node }) => this.neighbours.removeNode(participant, node),
    endpoint: ({ participant, endpoint }) => this.neighbours.addEndpoint(participant, endpoint),
    noEndpoint: ({ endpoint }) => this.neighbours.removeEndpoint(endpoint),
    alive: ({ writer, alive }) => this.neighbours.writer(writer)?.says(alive),

    sample: ({ writer, to, sample }) => {
      this.flow.took(sample.bytes);
      this.neighbours.writer(writer)?.receive(this.sampleOf(sample), to);
    },
    ask: ({ writer: id, reader }) => {
      const writer = this.domain.endpoints.get(id);
      if (writer instanceof Writer && writer.via !== this) writer.replay(reader, this);
    },
    past: ({ writer, reader, samples }) =>
      this.neighbours.writer(writer)?.receivePast(
        samples.map((sample) => this.sampleOf(sample)),
        reader,
      ),
    sync: ({ id, writer }) => {
      const found = this.neighbours.writer(writer);
      const further = found?.peers.map((peer) => peer.acked(found)) ?? [];
      void Promise.all(further).then(() => this.send({ t: "synced", id }));
    },
    synced: ({ id }) => {
      this.syncs.get(id)?.();
      this.syncs.delete(id);
    },
    credit: ({ messages, bytes }) => this.flow.credit(messages, bytes),
  };

  private receive(frame: Frame): void {
    if (this.isClosed) return;
    try {
      if (frame.t !== "hello" && frame.t !== "over" && !this.other) return;
      if (!Object.hasOwn(this.handlers, frame.t)) throw new TypeError(`an unknown frame ${String(frame.t)}`);
      (this.handlers[frame.t] as (frame: Frame) => void)(frame);
    } catch (error) {
      // no frame of ours: whoever sends it is no partner
      this.refuse(`it brought what makes no sense: ${error}`);
    }
  }

  private greeted({ peer, session, to, ...rest }: Frames["hello"]): void {
    const problem = this.mismatch(peer, rest);
    if (problem !== null) {
      this.refuse(problem);
      return;
    }
    if (this.other?.session === session) return;
    this.lost(); // it was another one before
    for (const older of this.domain.peers)
      if (older instanceof LinkedPeer && older.other?.peer === peer)
        older.end("a newer link replaced it", true);
    if (to !== this.session) this.hello(session);
    this.other = { session, peer };
    for (const participant of this.domain.participants.values())
      if (participant.via !== this) this.joined(participant);
    this.tellOpened();
  }

  /** Why the other side can't be linked with, if it can't. */
  private mismatch(
    peer: string,
    { version, domain, probe }: Pick<Frames["hello"], "version" | "domain" | "probe">,
  ): string | null {
    if (!(probe instanceof Uint8Array))
      return 'the channel carries JSON only: start the process with serialization: "advanced"';
    if (version !== VERSION) return `the versions differ: ${VERSION} here, ${version} at the other side`;
    const { number, id } = this.domain;
    if (domain !== number) return `the domains differ: ${number} here, ${domain} at the other side`;
    return peer === id ? "both ends are the same domain of one process" : null;
  }

  private hello(to: string | null): void {
    const { number: domain, id: peer } = this.domain;
    const probe = Uint8Array.of(1);
    this.channel.send({ t: "hello", version: VERSION, domain, peer, session: this.session, to, probe });
  }

  private send(frame: Frame): void {
    if (this.other) this.channel.send(frame);
  }

  /** Nobody is at the other end: all that came from there is gone. */
  private lost(): void {
    this.other = null;
    this.flow.reset();
    this.neighbours.forgetAll();
    const syncs = [...this.syncs.values()];
    this.syncs.clear();
    for (const resolve of syncs) resolve(); // no reader is left that could miss anything
  }

  private sampleOf({ sequence, sourceTime, expires, message, related, bytes }: SampleFrame): Sample {
    const now = Math.max(sourceTime, this.options.clock.time());
    return new Sample(
      sequence,
      sourceTime,
      now,
      expires,
      message,
      related,
      this.channel.sharesBuffers,
      bytes,
    );
  }

  /** The next announcement: early enough for the shortest lease of a publisher. */
  private beatLater(): void {
    this.cancelBeat();
    const { clock, announceInterval } = this.options;
    this.interval = announceInterval;
    for (const { via, data } of this.domain.endpoints.values())
      if (via !== this && data.role === "writer")
        this.interval = Math.min(this.interval, data.qos.livelinessLease / 3);
    this.cancelBeat = clock.after(Math.max(SHORTEST_BEAT, this.interval) * 1000, () => {
      if (this.other) this.beat();
      else this.hello(null);
      this.beatLater();
    });
  }

  private beat(): void {
    const participants: string[] = [];
    // of those elsewhere only what was heard: they might be silent
    for (const { id, via, heard } of this.domain.participants.values())
      if (via === null || (via !== this && heard >= this.lastBeat)) participants.push(id);
    this.lastBeat = this.options.clock.now();
    this.send({ t: "beat", participants });
  }
}

function endpointFrame(endpoint: Writer | Reader): EndpointFrame {
  return { data: endpoint.data, alive: endpoint instanceof Writer ? endpoint.alive : null };
}
