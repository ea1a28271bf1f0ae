/**
 * How much is on its way through a channel. The other side gives credit for what it took; without credit a writer's samples wait
 * here as in its history, so KEEP_LAST drops the oldest, and neither side's memory grows with what a slow reader doesn't take.
 */
import type { Writer } from "../endpoint.js";
import type { Sample } from "../sample.js";
import type { Channel, SampleFrame } from "./frames.js";

const WINDOW = { messages: 512, bytes: 16 << 20 };
/** Credit is given in rounds of so much. */
const ROUND = { messages: 64, bytes: 2 << 20 };

interface Waiting {
  readonly writer: Writer;
  readonly samples: { readonly sample: Sample; readonly to: string | null }[];
  readonly depth: number;
  /** What must not be said before the samples. */
  readonly next: (() => void)[];
}

export class Flow {
  private underWay = { messages: 0, bytes: 0 };
  private taken = { messages: 0, bytes: 0 };
  private readonly waiting = new Map<string, Waiting>();

  constructor(private readonly channel: Channel) {}

  sample(writer: Writer, sample: Sample, to: string | null): void {
    if (this.waiting.size === 0 && this.hasRoom) {
      this.send(writer, sample, to);
      return;
    }
    let queue = this.waiting.get(writer.id);
    if (!queue) {
      const { qos, service } = writer.data;
      const keepsAll = qos.history === "keep_all" || service !== null;
      const depth = keepsAll ? Number.POSITIVE_INFINITY : Math.max(1, qos.depth);
      queue = { writer, samples: [], depth, next: [] };
      this.waiting.set(writer.id, queue);
    }
    sample.hold(writer.codec);
    queue.samples.push({ sample, to });
    if (queue.samples.length > queue.depth) queue.samples.shift()?.sample.release();
  }

  /** Calls `then` when the samples of a writer that wait have been sent: now, if none do. */
  after(writer: string, then: () => void): void {
    const queue = this.waiting.get(writer);
    if (queue) queue.next.push(then);
    else then();
  }

  /** The other side took so much. */
  credit(messages: number, bytes: number): void {
    this.underWay.messages -= messages;
    this.underWay.bytes -= bytes;
    // in turns: no writer keeps the others waiting
    while (this.hasRoom && this.waiting.size > 0) {
      for (const [id, queue] of [...this.waiting]) {
        const next = queue.samples.shift();
        if (next) {
          this.send(queue.writer, next.sample, next.to);
          next.sample.release();
        }
        if (queue.samples.length === 0) {
          this.waiting.delete(id);
          for (const then of queue.next) then();
        }
        if (!this.hasRoom) break;
      }
    }
  }

  /** One came in. */
  took(bytes: number): void {
    this.taken.messages++;
    this.taken.bytes += bytes;
    if (this.taken.messages < ROUND.messages && this.taken.bytes < ROUND.bytes) return;
    this.channel.send({ t: "credit", ...this.taken });
    this.taken = { messages: 0, bytes: 0 };
  }

  get isIdle(): boolean {
    return this.waiting.size === 0;
  }

  /** The other side starts anew, or is gone. */
  reset(): void {
    this.underWay = { messages: 0, bytes: 0 };
    this.taken = { messages: 0, bytes: 0 };
    const queues = [...this.waiting.values()];
    this.waiting.clear();
    for (const { samples, next } of queues) {
      for (const { sample } of samples) sample.release();
      for (const then of next) then();
    }
  }

  private get hasRoom(): boolean {
    return this.underWay.messages < WINDOW.messages && this.underWay.bytes < WINDOW.bytes;
  }

  private send(writer: Writer, sample: Sample, to: string | null): void {
    const frame = frameOf(writer, sample);
    this.underWay.messages++;
    this.underWay.bytes += frame.bytes;
    this.channel.send({ t: "sample", writer: writer.id, to, sample: frame });
  }
}

export function frameOf(writer: Writer, sample: Sample): SampleFrame {
  const { sequence, sourceTime, expires, message, related } = sample;
  return { sequence, sourceTime, expires, message, bytes: sample.size(writer.codec), related };
}
