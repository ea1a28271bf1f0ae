/** Records topics of a graph into a bag, as `ros2 bag record` does. */
import type { HostSubscription, RosHost } from "../host.js";
import { encode } from "../interfaces/cdr.js";
import { findInterface } from "../interfaces/registry.js";
import type { MessageType } from "../interfaces/types.js";
import { commonQos } from "../offered-qos.js";
import { type HostSelection, rosHost } from "../select.js";
import { BagError } from "./errors.js";
import { BagFile } from "./read.js";
import { qosText } from "./schema.js";
import { BagWriter, type BagWriterOptions, channelSource } from "./write.js";

export interface RecordOptions extends HostSelection, BagWriterOptions {
  /** Full names, or one expression that they match; default all that are not hidden. */
  readonly topics?: readonly string[] | RegExp;
  /** Full names to leave out, or one expression. */
  readonly exclude?: readonly string[] | RegExp;
  /** Also topics with a part of their name that begins with `_` (actions' topics do); default false. */
  readonly includeHidden?: boolean;
  /** Ends the recording when aborted: the file is whole once `finished` has resolved. */
  readonly signal?: AbortSignal;
  /** Bytes that may wait for the disk before messages are dropped; default 100 MB, as rosbag2's cache. */
  readonly maxPending?: number;
  /** Told of topics that can't be recorded; default: a line on stderr. */
  readonly onWarning?: (text: string) => void;
}

/** A recording under way. */
export class Recorder {
  /** Messages taken so far. */
  messageCount = 0;
  /** Messages dropped as the disk was too slow. */
  lostCount = 0;
  /** Resolves when the file is whole; rejects with what writing it failed with. */
  readonly finished: Promise<void>;
  private readonly subscriptions = new Map<string, HostSubscription>();
  private readonly warned = new Set<string>();
  private readonly node;
  private readonly endWatch;
  private end!: (result: void | PromiseLike<void>) => void;
  private stopped = false;

  /** @internal */
  constructor(
    readonly path: string,
    host: RosHost,
    private readonly writer: BagWriter,
    private readonly options: RecordOptions,
  ) {
    this.finished = new Promise((resolve) => {
      this.end = resolve;
    });
    this.finished.catch(() => {}); // whoever awaits it or stop() is told
    this.node = host.createNode("rosbag2_recorder", "/");
    this.endWatch = this.node.onGraphChange(() => this.discover());
    this.discover();
    const { signal } = options;
    if (signal?.aborted) void this.stop().catch(() => {});
    else signal?.addEventListener("abort", () => void this.stop().catch(() => {}), { once: true });
  }

  /** Names of the topics subscribed to, sorted. */
  get topics(): string[] {
    return [...this.subscriptions.keys()].sort();
  }

  /** Bytes of messages taken that are not in the file yet. */
  get pendingBytes(): number {
    return this.writer.pending;
  }

  /** Ends the recording and writes the file's index. @throws what writing failed with */
  stop(): Promise<void> {
    if (!this.stopped) {
      this.stopped = true;
      this.endWatch();
      for (const subscription of this.subscriptions.values()) subscription.dispose();
      this.node.dispose();
      this.end(this.writer.end());
    }
    return this.finished;
  }

  private discover(): void {
    if (this.stopped) return;
    for (const { name, types } of this.node.topicNamesAndTypes()) {
      if (this.subscriptions.has(name) || !this.wanted(name)) continue;
      const type = types.length === 1 ? findInterface(types[0]) : undefined;
      if (types.length > 1) this.warn(name, `has messages of several types: ${types.join(", ")}`);
      else if (type?.kind !== "msg")
        this.warn(name, `is of type ${types[0]}, which is not known: define it with ros.defineMessage`);
      else this.subscribe(name, type);
    }
  }

  private wanted(name: string): boolean {
    const { topics, exclude, includeHidden = false } = this.options;
    const named = Array.isArray(topics) && topics.includes(name);
    if (!includeHidden && !named && /\/_/.test(name)) return false;
    return (topics === undefined || matches(name, topics)) && !(exclude && matches(name, exclude));
  }

  private subscribe(topic: string, type: MessageType): void {
    const offered = this.node.publishersInfo(topic).map((publisher) => publisher.qos);
    if (offered.length === 0) return; // only subscribers so far: wait for what publishers offer
    let channel: Promise<number> | undefined;
    const record = (message: unknown, time: bigint, publishTime: bigint) => {
      if (this.stopped) return;
      if (this.writer.pending > (this.options.maxPending ?? 100e6)) {
        this.lostCount++;
        return;
      }
      const profiles = this.node.publishersInfo(topic).map((publisher) => publisher.qos);
      channel ??= this.writer.channel(
        channelSource(topic, type, qosText(profiles.length > 0 ? profiles : offered)),
      );
      channel.catch(() => {}); // stop() tells
      this.messageCount++;
      this.writer.message(channel, encode(type, message), time, publishTime);
    };
    const options = {
      qos: commonQos(offered),
      onEvent: (event: { type: string }) => {
        if (event.type === "incompatible_qos")
          this.warn(
            topic,
            "has a publisher that came later, whose quality of service is weaker: not recorded",
          );
      },
    };
    const subscription = this.node.createSubscription(type, topic, options, (message, info) =>
      record(message, info.receivedTimestamp, info.sourceTimestamp),
    );
    this.subscriptions.set(topic, subscription);
  }

  private warn(topic: string, text: string): void {
    if (this.warned.has(topic)) return;
    this.warned.add(topic);
    const { onWarning = (line: string) => process.stderr.write(`${line}\n`) } = this.options;
    onWarning(`bag: topic ${topic} ${text}`);
  }
}

const matches = (name: string, by: readonly string[] | RegExp): boolean =>
  by instanceof RegExp ? new RegExp(by.source, by.flags.replace(/[gy]/g, "")).test(name) : by.includes(name);

/** `ros.bag.record`. */
export async function record(path: string, options: RecordOptions = {}): Promise<Recorder> {
  const host = await rosHost(options);
  let recorder: Recorder | undefined;
  const failed = () => void recorder?.stop().catch(() => {});
  const writer = await BagWriter.create(path, options, failed).catch((error: NodeJS.ErrnoException) => {
    const why = error.code === "EEXIST" ? "it is there already (overwrite: true replaces it)" : error.message;
    throw new BagError(`can't record into ${path}: ${why}`);
  });
  recorder = new Recorder(path, host, writer, options);
  return recorder;
}

/** `ros.bag.recover`. */
export async function recover(from: string, to: string, options: BagWriterOptions = {}): Promise<number> {
  await using bag = await BagFile.open(from);
  const writer = await BagWriter.create(to, options);
  const channels = new Map<unknown, Promise<number>>();
  let count = 0;
  try {
    for await (const { channel, data, time, publishTime } of bag.raw()) {
      if (channel.schema === undefined) continue;
      let id = channels.get(channel);
      if (id === undefined) {
        const { topic, messageEncoding, metadata } = channel.record;
        id = writer.channel({ topic, messageEncoding, metadata, schema: channel.schema });
        channels.set(channel, id);
      }
      await id;
      writer.message(id, data, time, publishTime);
      count++;
    }
  } finally {
    await writer.end();
  }
  return count;
}
