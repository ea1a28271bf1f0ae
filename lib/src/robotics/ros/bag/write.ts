/** An MCAP file in the `ros2` profile that grows message by message; what is written stays readable if the process dies. */
import { type FileHandle, open } from "node:fs/promises";
import { McapWriter } from "@mcap/core";
import type { MessageType } from "../interfaces/types.js";
import { type Compression, packing } from "./compression.js";
import { schemaText } from "./schema.js";

export interface BagWriterOptions {
  /** Of chunks; default `zstd`. */
  readonly compression?: Compression;
  /** Bytes of messages in a chunk; a process that dies loses at most this much. Default 768 KiB, as rosbag2's. */
  readonly chunkSize?: number;
  /** Write over a file that is there; default false. */
  readonly overwrite?: boolean;
}

/** A topic as the file's summary has it. */
export interface ChannelSource {
  readonly topic: string;
  readonly schema: { readonly name: string; readonly encoding: string; readonly data: Uint8Array };
  readonly messageEncoding: string;
  readonly metadata: ReadonlyMap<string, string>;
}

/** Calls queue up: none needs to wait for the one before. */
export class BagWriter {
  /** Bytes taken that are not in the file yet. */
  pending = 0;
  private tail: Promise<void> = Promise.resolve();
  private failure: unknown;
  private readonly schemas = new Map<string, number>();
  private readonly sequences = new Map<number, number>();

  private constructor(
    private readonly file: FileHandle,
    private readonly writer: McapWriter,
    private readonly onError: (error: unknown) => void,
  ) {}

  static async create(
    path: string,
    { compression = "zstd", chunkSize = 768 * 1024, overwrite = false }: BagWriterOptions,
    onError: (error: unknown) => void = () => {},
  ): Promise<BagWriter> {
    const compressChunk = await packing(compression);
    const file = await open(path, overwrite ? "w" : "wx");
    let position = 0n;
    const writable = {
      position: () => position,
      write: async (bytes: Uint8Array) => {
        for (let at = 0; at < bytes.length; ) {
          const { bytesWritten } = await file.write(bytes, at, bytes.length - at);
          at += bytesWritten;
        }
        position += BigInt(bytes.length);
      },
    };
    const writer = new McapWriter({ writable, chunkSize, compressChunk });
    await writer.start({ profile: "ros2", library: "mlsys" });
    return new BagWriter(file, writer, onError);
  }

  /** Resolves to the channel's number. */
  channel(source: ChannelSource): Promise<number> {
    return this.queue(async () => {
      const key = `${source.schema.name} ${source.schema.encoding}`;
      let schemaId = this.schemas.get(key);
      if (schemaId === undefined) {
        schemaId = await this.writer.registerSchema(source.schema);
        this.schemas.set(key, schemaId);
      }
      const { topic, messageEncoding } = source;
      return this.writer.registerChannel({
        topic,
        messageEncoding,
        schemaId,
        metadata: new Map(source.metadata),
      });
    });
  }

  message(channel: Promise<number>, data: Uint8Array, time: bigint, publishTime: bigint): void {
    this.pending += data.length;
    channel
      .then((channelId) =>
        this.queue(async () => {
          const sequence = this.sequences.get(channelId) ?? 0;
          this.sequences.set(channelId, (sequence + 1) >>> 0);
          await this.writer.addMessage({ channelId, sequence, logTime: time, publishTime, data });
        }),
      )
      .catch(() => {}) // told by queue
      .finally(() => {
        this.pending -= data.length;
      });
  }

  /** Writes what is queued, then the index. @throws what writing failed with */
  async end(): Promise<void> {
    try {
      while (this.pending > 0 && this.failure === undefined) await this.settled();
      await this.settled();
      if (this.failure === undefined) await this.queue(() => this.writer.end());
    } finally {
      await this.file.close();
    }
    if (this.failure !== undefined) throw this.failure;
  }

  /** When what was queued before now is written. */
  private async settled(): Promise<void> {
    await this.tail;
    await new Promise<void>((resolve) => setImmediate(resolve));
  }

  /** The writer allows one call at a time; after a failure none. */
  private queue<T>(call: () => Promise<T>): Promise<T> {
    const result = this.tail.then(() => {
      if (this.failure !== undefined) throw this.failure;
      return call();
    });
    this.tail = result.then(
      () => {},
      (error: unknown) => {
        if (this.failure !== undefined) return;
        this.failure = error;
        this.onError(error);
      },
    );
    return result;
  }
}

export function channelSource(topic: string, type: MessageType, qos: string): ChannelSource {
  return {
    topic,
    schema: { name: type.name, encoding: "ros2msg", data: new TextEncoder().encode(schemaText(type)) },
    messageEncoding: "cdr",
    metadata: new Map([["offered_qos_profiles", qos]]),
  };
}
