/** A MessageChannel in the test's hand: it can be cut, held up, and looked at. */
import { EventEmitter } from "node:events";
import type { MessagePort } from "node:worker_threads";
import type { Frame } from "../../../src/robotics/ros/graph/link/frames.js";

export class WireEnd extends EventEmitter {
  /** Frames that were sent, in order. */
  readonly sent: Frame[] = [];
  /** Nothing arrives at the other end, and nobody is told. */
  isCut = false;
  /** What is sent waits until `release`. */
  isHeld = false;
  private held: unknown[] = [];

  constructor(private readonly peer: () => WireEnd) {
    super();
  }

  postMessage(message: unknown): void {
    const copy = structuredClone(message) as { frame: Frame };
    this.sent.push(copy.frame);
    if (this.isCut) return;
    if (this.isHeld) this.held.push(copy);
    else queueMicrotask(() => this.peer().emit("message", copy));
  }

  release(): void {
    this.isHeld = false;
    const { held } = this;
    this.held = [];
    for (const message of held) queueMicrotask(() => this.peer().emit("message", message));
  }

  close(): void {
    queueMicrotask(() => this.peer().emit("close"));
  }

  count(t: Frame["t"]): number {
    return this.sent.filter((frame) => frame.t === t).length;
  }

  /** As a link takes it. */
  get port(): MessagePort {
    return this as unknown as MessagePort;
  }
}

export function wire(): [WireEnd, WireEnd] {
  const a: WireEnd = new WireEnd(() => b);
  const b: WireEnd = new WireEnd(() => a);
  return [a, b];
}
