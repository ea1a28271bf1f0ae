/** Publishers and subscriptions on ROS 2. */
import { DisposedError } from "../../../core/errors.js";
import type { EntityOptions, HostPublisher, HostSubscription, MessageInfo } from "../host.js";
import { CdrError, deserialize, withEncoded } from "../interfaces/cdr.js";
import type { MessageType } from "../interfaces/types.js";
import type { Handle, RclAddon } from "./addon.js";
import { drain } from "./drain.js";
import { listenToEvents } from "./events.js";
import { toNative } from "./qos.js";
import type { NativeType } from "./types.js";

/** What the ends of a node are made on. */
export interface Ground {
  readonly addon: RclAddon;
  readonly node: Handle;
  /** Called when an end is disposed of. */
  readonly ended: (end: { dispose(): void }) => void;
}

export class RclPublisher<M> implements HostPublisher<M> {
  private readonly handle: Handle;
  private readonly stopEvents: () => void;
  private isDisposed = false;

  constructor(
    private readonly ground: Ground,
    private readonly type: MessageType<M>,
    { library, name }: NativeType,
    readonly topic: string,
    { qos, onEvent }: EntityOptions,
  ) {
    const { addon, node } = ground;
    this.handle = addon.mlsys.createPublisher(node, library, name, topic, toNative(qos));
    this.stopEvents = listenToEvents(addon, "offered", this.handle, () => this.subscriptionCount, onEvent);
  }

  get subscriptionCount(): number {
    return this.isDisposed ? 0 : this.ground.addon.getSubscriptionCount(this.handle);
  }

  publish(message: M): void {
    this.check("published");
    withEncoded(this.type, message, (bytes) => this.ground.addon.mlsys.publish(this.handle, bytes));
  }

  assertLiveliness(): void {
    this.check("asserted");
    this.ground.addon.assertLiveliness(this.handle);
  }

  /** Asks again and again, for rcl's own waiting would stop this thread, which others of this process wait for. */
  async waitForAllAcked(timeout: number): Promise<boolean> {
    this.check("waitForAllAcked");
    const ends = performance.now() + timeout * 1000;
    for (let wait = 1; ; wait = Math.min(20, wait + 1)) {
      if (this.ground.addon.waitForAllAcked(this.handle, 0n)) return true;
      const left = ends - performance.now();
      if (left <= 0) return false;
      await new Promise((resolve) => setTimeout(resolve, Math.min(wait, left)));
      if (this.isDisposed) return false;
    }
  }

  dispose(): void {
    if (this.isDisposed) return;
    this.isDisposed = true;
    this.stopEvents();
    this.handle.release();
    this.ground.ended(this);
  }

  private check(done: string): void {
    if (this.isDisposed) throw new DisposedError(`${this.topic}: ${done} after dispose()`);
  }
}

/** The bytes of the message taken last; reading copies what it keeps. Fresh memory for each would cost more than that. */
let scratch = new Uint8Array(1 << 16);
const LARGEST = 1 << 23;

function enlarge(length: number): void {
  if (length <= LARGEST) scratch = new Uint8Array(2 ** Math.ceil(Math.log2(length)));
}

export class RclSubscription<M> implements HostSubscription {
  private readonly handle: Handle;
  private readonly stopEvents: () => void;
  private isDisposed = false;

  constructor(
    private readonly ground: Ground,
    type: MessageType<M>,
    { library, name }: NativeType,
    readonly topic: string,
    { qos, onEvent }: EntityOptions,
    onMessage: (message: M, info: MessageInfo) => void,
  ) {
    const { addon, node } = ground;
    const { take, createSubscription } = addon.mlsys;
    const listener = drain(() => {
      const taken = this.isDisposed ? undefined : take(this.handle, scratch);
      if (taken === undefined) return false;
      const [bytes, sourceTimestamp, receivedTimestamp] = taken;
      const message = this.read(type, typeof bytes === "number" ? scratch.subarray(0, bytes) : bytes);
      if (typeof bytes !== "number") enlarge(bytes.length);
      if (message !== undefined) onMessage(message, { sourceTimestamp, receivedTimestamp });
      return true;
    });
    this.handle = createSubscription(node, library, name, topic, toNative(qos), listener);
    this.stopEvents = listenToEvents(addon, "requested", this.handle, () => this.publisherCount, onEvent);
  }

  get publisherCount(): number {
    return this.isDisposed ? 0 : this.ground.addon.getPublisherCount(this.handle);
  }

  /** A stranger's bytes that are no such message are told of and dropped: they must not end this process. */
  private read(type: MessageType<M>, bytes: Uint8Array): M | undefined {
    try {
      return deserialize(type, bytes);
    } catch (error) {
      if (!(error instanceof CdrError)) throw error;
      process.emitWarning(`${this.topic}: ${error.message}`);
      return undefined;
    }
  }

  dispose(): void {
    if (this.isDisposed) return;
    this.isDisposed = true;
    this.stopEvents();
    this.handle.release();
    this.ground.ended(this);
  }
}
