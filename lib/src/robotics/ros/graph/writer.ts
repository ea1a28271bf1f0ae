/** The writing end of a publisher, a client or a service. */
import { DisposedError } from "../../../core/errors.js";
import type { EntityOptions, QoSEvent, QoSProfile } from "../host.js";
import type { MessageType } from "../interfaces/types.js";
import type { GraphClock } from "./clock.js";
import { type Codec, codecOf } from "./copy.js";
import type { Domain, Participant } from "./domain.js";
import { type EndpointData, type Reader, type TakingReader, Writer } from "./endpoint.js";
import type { Peer } from "./peer.js";
import { History, type Related, Sample } from "./sample.js";
import { soon } from "./turn.js";
import { Watch } from "./watch.js";

export class LocalWriter extends Writer {
  override readonly codec: Codec;
  private readonly history: History | null;
  private readonly deadline: Watch;
  private readonly lease: Watch;
  private readonly lifespan: number;
  private readonly isManual: boolean;
  private isDisposed = false;
  private sequence = 0;
  private totals = { incompatible: 0, deadline: 0, lost: 0 };

  constructor(
    domain: Domain,
    participant: Participant,
    data: EndpointData,
    type: MessageType,
    private readonly clock: GraphClock,
    private readonly onEvent: EntityOptions["onEvent"],
  ) {
    super(domain, participant, data);
    const { qos } = data;
    this.codec = codecOf(type);
    const depth = qos.history === "keep_all" ? Number.POSITIVE_INFINITY : Math.max(1, qos.depth);
    this.history = qos.durability === "transient_local" ? new History(depth) : null;
    this.deadline = new Watch(clock, qos.deadline, (periods) => this.missed(periods), true);
    this.lease = new Watch(clock, qos.livelinessLease, () => this.silent(), false);
    this.lifespan = qos.lifespan * 1000;
    this.isManual = qos.liveliness === "manual_by_topic";
    if (!this.isManual) this.alive = true; // as long as the process lives
    domain.add(this);
  }

  /**
   * Readers get it soon, never before this returns.
   * @param to the one reader that it is for
   * @param isOwned whether the message is nobody else's, so that it need not be copied
   * @throws DisposedError
   */
  publish(message: unknown, related: Related | null = null, to: string | null = null, isOwned = false): void {
    if (this.isDisposed) throw new DisposedError(`${this.data.topic.slice(2)}: published after dispose()`);
    this.deadline.touch();
    if (this.isManual) this.assert();
    const { readers, peers } = this.routes;
    const sequence = ++this.sequence;
    if (readers.length === 0 && peers.length === 0 && !this.history) return;
    const now = this.clock.time();
    const sample = new Sample(sequence, now, now, now + this.lifespan, message, related, !isOwned);
    if (this.history) {
      sample.hold(this.codec);
      this.history.push(sample);
    }
    this.distribute(sample, to);
  }

  assertLiveliness(): void {
    if (this.isDisposed) throw new DisposedError(`${this.data.topic.slice(2)}: asserted after dispose()`);
    if (this.isManual) this.assert();
  }

  override replay(reader: TakingReader | string, peer: Peer | null): void {
    if (!this.history) return;
    const now = this.clock.time();
    const samples = [...this.history].filter((sample) => sample.expires >= now);
    if (typeof reader !== "string") reader.acceptHistory(samples, this);
    else peer?.history(this, reader, samples);
  }

  /** Readers of this process have a sample as soon as it is published; only those elsewhere have to be asked. */
  async acked(timeout: number): Promise<boolean> {
    const reliable = (peer: Peer): boolean =>
      [...this.matches].some((reader) => reader.via === peer && reader.data.qos.reliability === "reliable");
    const asked = this.peers.filter(reliable).map((peer) => peer.acked(this));
    if (asked.length === 0) return true;
    let cancel = (): void => {};
    const late = new Promise<boolean>((resolve) => {
      if (timeout < Number.POSITIVE_INFINITY)
        cancel = this.clock.after(Math.max(0, timeout) * 1000, () => resolve(false));
    });
    try {
      return await Promise.race([Promise.all(asked).then(() => true), late]);
    } finally {
      cancel();
    }
  }

  dispose(): void {
    if (this.isDisposed) return;
    this.domain.remove(this);
    this.isDisposed = true;
    this.deadline.stop();
    this.lease.stop();
    this.history?.clear();
  }

  override matched(reader: Reader): void {
    super.matched(reader);
    this.tell({ type: "matched", current: this.matches.size });
  }

  override unmatched(reader: Reader): void {
    super.unmatched(reader);
    this.tell({ type: "matched", current: this.matches.size });
  }

  override incompatible(policy: keyof QoSProfile): void {
    this.tell({ type: "incompatible_qos", policy, total: ++this.totals.incompatible });
  }

  private assert(): void {
    this.lease.touch();
    this.setAlive(true);
  }

  private silent(): void {
    if (!this.isManual) return;
    this.setAlive(false);
    this.tell({ type: "liveliness_lost", total: ++this.totals.lost });
  }

  private missed(periods: number): void {
    this.totals.deadline += periods;
    this.tell({ type: "deadline_missed", total: this.totals.deadline });
  }

  private tell(event: QoSEvent): void {
    const { onEvent } = this;
    if (onEvent) soon({ run: () => this.isDisposed || onEvent(event) });
  }
}
