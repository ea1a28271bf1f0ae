/** The reading end of a subscription, a service or a client: a queue of samples that a callback gets, one after the other. */
import type { EntityOptions, MessageInfo, QoSEvent, QoSProfile } from "../host.js";
import type { MessageType } from "../interfaces/types.js";
import type { GraphClock } from "./clock.js";
import { type Codec, codecOf } from "./copy.js";
import type { Domain, Participant } from "./domain.js";
import { type EndpointData, TakingReader, type Writer } from "./endpoint.js";
import { History, type Related, type Sample } from "./sample.js";
import { soon } from "./turn.js";
import { Watch } from "./watch.js";

/** What came from a writer that is elsewhere. */
interface Received {
  /** Count of the last sample; 0: none yet. */
  last: number;
  /** Samples that came before the writer's history, that was asked for. */
  waiting: Sample[] | null;
}

export class LocalReader extends TakingReader {
  override readonly codec: Codec;
  private readonly queue: History;
  private readonly received = new Map<Writer, Received>();
  private readonly deadline: Watch;
  private isQueued = false;
  private isDisposed = false;
  private totals = { incompatible: 0, deadline: 0, lost: 0 };
  private liveliness = { alive: 0, notAlive: 0 };

  constructor(
    domain: Domain,
    participant: Participant,
    data: EndpointData,
    type: MessageType,
    private readonly clock: GraphClock,
    private readonly onEvent: EntityOptions["onEvent"],
    private readonly onSample: (message: unknown, info: MessageInfo, related: Related | null) => void,
  ) {
    super(domain, participant, data);
    this.codec = codecOf(type);
    // a request or reply that is dropped would leave a caller waiting
    const keepsAll = data.qos.history === "keep_all" || data.service !== null;
    this.queue = new History(keepsAll ? Number.POSITIVE_INFINITY : Math.max(1, data.qos.depth));
    this.deadline = new Watch(clock, data.qos.deadline, (periods) => this.missed(periods), true);
    domain.add(this);
  }

  dispose(): void {
    if (this.isDisposed) return;
    this.domain.remove(this);
    this.isDisposed = true;
    this.deadline.stop();
    this.queue.clear();
  }

  override matched(writer: Writer): void {
    super.matched(writer);
    if (writer.via !== null) {
      const { durability } = this.data.qos;
      this.received.set(writer, { last: 0, waiting: durability === "transient_local" ? [] : null });
    }
    this.tell({ type: "matched", current: this.matches.size });
    this.livelinessChanged();
  }

  override unmatched(writer: Writer): void {
    super.unmatched(writer);
    this.received.delete(writer);
    if (this.matches.size === 0) this.deadline.stop(); // nobody is late
    this.tell({ type: "matched", current: this.matches.size });
    this.livelinessChanged();
  }

  override incompatible(policy: keyof QoSProfile): void {
    this.tell({ type: "incompatible_qos", policy, total: ++this.totals.incompatible });
  }

  override livelinessChanged(): void {
    if (this.data.qos.livelinessLease === Number.POSITIVE_INFINITY) return;
    let alive = 0;
    let notAlive = 0;
    for (const writer of this.matches) {
      if (writer.alive === true) alive++;
      else if (writer.alive === false) notAlive++;
    }
    if (alive === this.liveliness.alive && notAlive === this.liveliness.notAlive) return;
    this.liveliness = { alive, notAlive };
    this.tell({ type: "liveliness_changed", alive, notAlive });
  }

  override accept(sample: Sample, writer: Writer): void {
    const received = writer.via === null ? undefined : this.received.get(writer);
    if (received) {
      if (received.waiting) {
        received.waiting.push(sample);
        return;
      }
      if (sample.sequence <= received.last) return; // its history had it
      if (received.last > 0 && this.data.service === null) this.lost(sample.sequence - received.last - 1);
      received.last = sample.sequence;
    }
    this.push(sample);
  }

  override acceptHistory(samples: readonly Sample[], writer: Writer): void {
    const received = this.received.get(writer);
    const waiting = received?.waiting ?? [];
    if (received) received.waiting = null;
    for (const sample of samples) {
      if (received) received.last = sample.sequence;
      this.push(sample);
    }
    for (const sample of waiting) this.accept(sample, writer);
  }

  /** Gives what is queued to the callback. */
  run(): void {
    this.isQueued = false;
    // what is published meanwhile has its turn later
    for (let count = this.queue.length; count > 0 && !this.isDisposed; count--) {
      const sample = this.queue.shift();
      if (!sample) return;
      if (sample.expires < Number.POSITIVE_INFINITY && sample.expires < this.clock.time()) {
        sample.release();
        continue;
      }
      const source = nanoseconds(sample.sourceTime);
      const received = sample.receivedTime === sample.sourceTime ? source : nanoseconds(sample.receivedTime);
      const info = { sourceTimestamp: source, receivedTimestamp: received };
      try {
        this.onSample(sample.take(this.codec), info, sample.related);
      } catch (error) {
        process.emitWarning(error instanceof Error ? error : String(error)); // the next message is not to blame
      }
    }
  }

  private push(sample: Sample): void {
    sample.hold(this.codec);
    this.queue.push(sample);
    this.deadline.touch();
    if (this.isQueued) return;
    this.isQueued = true;
    soon(this);
  }

  private lost(count: number): void {
    if (count <= 0) return;
    this.totals.lost += count;
    this.tell({ type: "message_lost", total: this.totals.lost });
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

function nanoseconds(ms: number): bigint {
  const whole = Math.floor(ms);
  return BigInt(whole) * 1_000_000n + BigInt(Math.round((ms - whole) * 1e6));
}
