/** Bags as files: what is in them, and their messages in the order of time; damaged ones as far as they go. */
import { type FileHandle, open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { McapIndexedReader, McapStreamReader, type McapTypes } from "@mcap/core";
import type { QoSProfile } from "../host.js";
import { deserialize } from "../interfaces/cdr.js";
import type { MessageType } from "../interfaces/types.js";
import { unpacking } from "./compression.js";
import { BagError } from "./errors.js";
import { parseQos, schemaType } from "./schema.js";

/** One topic of a bag. */
export interface BagTopic {
  readonly name: string;
  /** Full name of its messages' type. */
  readonly type: string;
  readonly count: number;
  /** The publishers' profiles when it was recorded. */
  readonly qos: readonly QoSProfile[];
  /** Why its messages can't be read here, if they can't. */
  readonly problem?: string;
}

/** What `info` tells; times in nanoseconds since 1970, duration in seconds, size in bytes. */
export interface BagInfo {
  readonly path: string;
  readonly size: number;
  readonly profile: string;
  readonly library: string;
  readonly start: bigint;
  readonly end: bigint;
  readonly duration: number;
  readonly messageCount: number;
  readonly topics: readonly BagTopic[];
  readonly compression: readonly string[];
  /** False for a file that ends early or is damaged: its recorder died. */
  readonly complete: boolean;
  /** What is wrong with one that is not. */
  readonly problem?: string;
}

/** One message of a bag; times in nanoseconds since 1970. */
export interface BagMessage<M = unknown> {
  readonly topic: string;
  readonly type: MessageType<M>;
  readonly message: M;
  /** When it was recorded. */
  readonly time: bigint;
  /** When it was published. */
  readonly publishTime: bigint;
}

export interface BagReadOptions {
  /** Names of topics; default all that can be read. */
  readonly topics?: readonly string[];
  /** Seconds from the bag's beginning; default 0. */
  readonly start?: number;
  /** Seconds from the bag's beginning; default its end. */
  readonly end?: number;
}

/** A message as it lies in the file. */
export interface RawMessage {
  readonly channel: BagChannel;
  readonly data: Uint8Array;
  readonly time: bigint;
  readonly publishTime: bigint;
}

export interface BagChannel {
  readonly topic: string;
  readonly typeName: string;
  readonly type?: MessageType;
  readonly qos: readonly QoSProfile[];
  readonly problem?: string;
  /** As the file has them. */
  readonly record: McapTypes.TypedMcapRecords["Channel"];
  readonly schema?: McapTypes.TypedMcapRecords["Schema"];
}

/** Bytes that are read of an unindexed file at a time. */
const PIECE = 1 << 20;

/** An open bag. Close it. */
export class BagFile implements AsyncDisposable {
  private constructor(
    private readonly file: FileHandle,
    private readonly reader: McapIndexedReader | undefined,
    private readonly handlers: McapTypes.DecompressHandlers,
    private readonly channels: ReadonlyMap<number, BagChannel>,
    readonly info: BagInfo,
  ) {}

  /**
   * @param path an MCAP file, or rosbag2's folder around one
   * @throws {BagError} if it is none
   */
  static async open(path: string): Promise<BagFile> {
    const where = await mcapIn(path);
    const file = await open(where, "r");
    try {
      const handlers = await unpacking();
      const { size } = await file.stat();
      const magic = Buffer.alloc(8);
      await file.read(magic, 0, 8, 0);
      if (!magic.equals(MAGIC)) throw new BagError(`${where} is no MCAP file`);
      const indexed = await openIndexed(file, size, handlers);
      const found = typeof indexed === "string" ? await scan(file, handlers, indexed) : summary(indexed);
      const reader = typeof indexed === "string" ? undefined : indexed;
      return new BagFile(file, reader, handlers, found.channels, { path: where, size, ...found.info });
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** The type of a topic's messages; undefined if they can't be read. */
  typeOf(topic: string): MessageType | undefined {
    for (const channel of this.channels.values())
      if (channel.topic === topic && channel.type) return channel.type;
    return undefined;
  }

  /** @throws {BagError} that says which topics there are */
  mustHave(topic: string): void {
    const known = this.info.topics.map(({ name }) => name);
    if (!known.includes(topic))
      throw new BagError(`${this.info.path} has no topic ${topic}; it has ${known.join(", ")}`);
  }

  /** Messages as they lie in the file, by time (a damaged file: as they were written). */
  async *raw({ topics, start = 0, end }: BagReadOptions = {}): AsyncGenerator<RawMessage, void, void> {
    for (const topic of topics ?? []) this.mustHave(topic);
    const from = this.info.start + BigInt(Math.round(start * 1e9));
    const to = end === undefined ? this.info.end : this.info.start + BigInt(Math.round(end * 1e9));
    const records = this.reader
      ? this.reader.readMessages({ topics, startTime: from, endTime: to })
      : messagesOf(this.file, this.handlers);
    for await (const record of records) {
      const channel = this.channels.get(record.channelId);
      if (channel === undefined || record.logTime < from || record.logTime > to) continue;
      if (topics !== undefined && !topics.includes(channel.topic)) continue;
      yield { channel, data: record.data, time: record.logTime, publishTime: record.publishTime };
    }
  }

  /** Messages decoded; topics that can't be are left out. @throws {CdrError} for one that is damaged */
  async *messages(options: BagReadOptions = {}): AsyncGenerator<BagMessage, void, void> {
    for await (const { channel, data, time, publishTime } of this.raw(options)) {
      if (channel.type === undefined) continue;
      const message = deserialize(channel.type, data);
      yield { topic: channel.topic, type: channel.type, message, time, publishTime };
    }
  }

  async close(): Promise<void> {
    await this.file.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

const MAGIC = Buffer.from([0x89, 0x4d, 0x43, 0x41, 0x50, 0x30, 0x0d, 0x0a]);

async function mcapIn(path: string): Promise<string> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) throw new BagError(`there is no bag ${path}`);
  if (!found.isDirectory()) return path;
  const files = (await readdir(path)).filter((name) => name.endsWith(".mcap")).sort();
  if (files.length === 1) return join(path, files[0]);
  const said = files.length === 0 ? "no .mcap file" : `several .mcap files, name one: ${files.join(", ")}`;
  throw new BagError(`the folder ${path} has ${said}`);
}

/** A reader, or why there can't be one: no index at the end. */
async function openIndexed(
  file: FileHandle,
  size: number,
  decompressHandlers: McapTypes.DecompressHandlers,
): Promise<McapIndexedReader | string> {
  const readable = {
    size: async () => BigInt(size),
    read: async (offset: bigint, length: bigint) => {
      if (offset + length > size) throw new Error("the file ends early");
      const bytes = new Uint8Array(Number(length));
      const { bytesRead } = await file.read(bytes, 0, bytes.length, Number(offset));
      if (bytesRead < bytes.length) throw new Error("the file ends early");
      return bytes;
    },
  };
  try {
    const reader = await McapIndexedReader.Initialize({ readable, decompressHandlers });
    // A file of no chunks has messages that the index does not know of.
    if (
      reader.statistics === undefined ||
      (reader.chunkIndexes.length === 0 && reader.statistics.messageCount > 0n)
    )
      return "it has no index";
    return reader;
  } catch (error) {
    return (error as Error).message;
  }
}

interface Found {
  readonly channels: ReadonlyMap<number, BagChannel>;
  readonly info: Omit<BagInfo, "path" | "size">;
}

function summary(reader: McapIndexedReader): Found {
  const channels = new Map<number, BagChannel>();
  for (const [id, record] of reader.channelsById)
    channels.set(id, describe(record, reader.schemasById.get(record.schemaId)));
  const { messageStartTime, messageEndTime, channelMessageCounts } = reader.statistics!;
  const counts = new Map([...channelMessageCounts].map(([id, count]) => [id, Number(count)]));
  const compression = new Set(reader.chunkIndexes.map((chunk) => chunk.compression || "none"));
  const info = tell(reader.header, channels, counts, messageStartTime, messageEndTime, compression);
  return { channels, info: { ...info, complete: true } };
}

/** Reads a file without an index once, to know what is in it. */
async function scan(
  file: FileHandle,
  handlers: McapTypes.DecompressHandlers,
  problem: string,
): Promise<Found> {
  const schemas = new Map<number, McapTypes.TypedMcapRecords["Schema"]>();
  const channels = new Map<number, BagChannel>();
  const counts = new Map<number, number>();
  const compression = new Set<string>();
  let header = { profile: "", library: "" };
  let start: bigint | undefined;
  let end = 0n;
  let damage: string | undefined;
  const stop = (why: string) => {
    damage = why;
  };
  for await (const record of recordsOf(file, handlers, stop)) {
    if (record.type === "Header") header = record;
    else if (record.type === "Schema") schemas.set(record.id, record);
    else if (record.type === "Channel") {
      if (!channels.has(record.id)) channels.set(record.id, describe(record, schemas.get(record.schemaId)));
    } else if (record.type === "Chunk") compression.add(record.compression || "none");
    else if (record.type === "Message") {
      counts.set(record.channelId, (counts.get(record.channelId) ?? 0) + 1);
      if (start === undefined || record.logTime < start) start = record.logTime;
      if (record.logTime > end) end = record.logTime;
    }
  }
  const info = tell(header, channels, counts, start ?? 0n, end, compression);
  // A whole file may lack an index only.
  const complete = damage === undefined;
  return { channels, info: { ...info, complete, ...(!complete && { problem: damage ?? problem }) } };
}

function describe(
  record: McapTypes.TypedMcapRecords["Channel"],
  schema: McapTypes.TypedMcapRecords["Schema"] | undefined,
): BagChannel {
  const channel = { topic: record.topic, typeName: schema?.name ?? "", record, schema };
  try {
    const qos = parseQos(record.metadata.get("offered_qos_profiles") ?? "");
    if (record.messageEncoding !== "cdr")
      return { ...channel, qos, problem: `its messages are ${record.messageEncoding}, not cdr` };
    if (schema?.encoding !== "ros2msg")
      return { ...channel, qos, problem: `its schema is ${schema?.encoding ?? "missing"}, not ros2msg` };
    return { ...channel, qos, type: schemaType(schema.name, new TextDecoder().decode(schema.data)) };
  } catch (error) {
    return { ...channel, qos: [], problem: (error as Error).message };
  }
}

function tell(
  header: { profile: string; library: string },
  channels: ReadonlyMap<number, BagChannel>,
  counts: ReadonlyMap<number, number>,
  start: bigint,
  end: bigint,
  compression: ReadonlySet<string>,
): Omit<BagInfo, "path" | "size" | "complete"> {
  const topics = new Map<string, BagTopic>();
  for (const [id, { topic: name, typeName: type, qos, problem }] of channels) {
    const before = topics.get(name);
    const count = (before?.count ?? 0) + (counts.get(id) ?? 0);
    topics.set(name, { name, type, count, qos: before?.qos ?? qos, ...(problem && { problem }) });
  }
  return {
    profile: header.profile,
    library: header.library,
    start,
    end,
    duration: Number(end - start) / 1e9,
    messageCount: [...counts.values()].reduce((sum, count) => sum + count, 0),
    topics: [...topics.values()].sort((a, b) => (a.name < b.name ? -1 : 1)),
    compression: [...compression],
  };
}

async function* messagesOf(
  file: FileHandle,
  handlers: McapTypes.DecompressHandlers,
): AsyncGenerator<McapTypes.TypedMcapRecords["Message"], void, void> {
  for await (const record of recordsOf(file, handlers, () => {})) if (record.type === "Message") yield record;
}

/** Every record up to the first damage, which `onDamage` hears of. */
async function* recordsOf(
  file: FileHandle,
  decompressHandlers: McapTypes.DecompressHandlers,
  onDamage: (why: string) => void,
): AsyncGenerator<McapTypes.TypedMcapRecord, void, void> {
  const reader = new McapStreamReader({ decompressHandlers, includeChunks: true });
  for (let at = 0; ; ) {
    const piece = new Uint8Array(PIECE);
    const { bytesRead } = await file.read(piece, 0, PIECE, at);
    if (bytesRead === 0) break;
    at += bytesRead;
    try {
      reader.append(piece.subarray(0, bytesRead));
      for (;;) {
        const record = reader.nextRecord();
        if (record === undefined) break;
        yield record;
      }
    } catch (error) {
      onDamage((error as Error).message);
      return;
    }
  }
  if (!reader.done()) onDamage(`it ends in the middle of a record (${reader.bytesRemaining()} bytes)`);
}
