/**
 * The wire, version 1: ZeroMQ messages over TCP (CURVE with a secret). The first frame is a JSON object (UTF-8) with
 * `v` = 1 and the kind `t`; the frames behind it are numbers, little-endian: float32 values, uint32 row ids, float64 steps.
 *
 * | kind | from → to | fields | frames |
 * |---|---|---|---|
 * | `push` | client → head | `i` request, `p` partition, `e` epoch, `op` (see shard.ts: `c` client, `n` its number, `w` worker, `k` clock, `b` version it was computed from, `parts`) | per part: gradient, or ids and gradients |
 * | `pull` | client → tail | `i`, `p`, `e`, `k` least version or clock, `w`, `any` from any copy, `parts` | per rows part: ids |
 * | `ok` | server → client | `i`, `version`, `late`, `clock` of the worker, `hot` places of rows that many ask for | per part: values |
 * | `no` | server → client | `i`, `why`: `epoch` ask the coordinator, `gap` send from number `n` on, `bad` with `text` | |
 * | `attach`, `at` | replica ↔ the one behind it | `p`, `e`; position `l` (epoch of the last entry), `s` (its number) | |
 * | `state` | replica → the one behind it | `p`, `e`, position, `head` (see shard.ts) | the partition's arrays |
 * | `entry`, `sync`, `ack` | as above | `p`, `e`, `l`, `s`, `op` | those of the push |
 * | `hello` | all → coordinator | `role`, `id`, `address`, `worker` | |
 * | `welcome` | coordinator → all | `lease` in milliseconds | |
 * | `beat` | all ↔ coordinator | `id`, `i`; `filled` partition, epoch and id of learners that have all | |
 * | `gone`, `unknown` | coordinator → all | it was taken for dead and begins anew; it is to say hello again | |
 * | `define`, `defined` | client ↔ coordinator | `job`, `servers` | |
 * | `view` | coordinator → all | `view` (see view.ts) | |
 * | `seal`, `sealed` | coordinator ↔ server | `p`, `e`, position | |
 * | `bye` | all → coordinator | `id` | |
 *
 * Messages measured on the machine with two cores, server and clients as processes (`node lib/bench/distributed/parameter-server-wire.mjs`):
 * gRPC (@grpc/grpc-js) / ZeroMQ, messages a second: push of 4 KB 1,340 / 13,600, with four clients 1,050 / 12,900; pull of
 * 4 KB 1,390 / 13,200; push of 4 MB 92 / 451, with four clients 128 / 423; pull of 4 MB 91 / 302, with four 91 / 472.
 * ZeroMQ it is.
 */
import { ValueError } from "../../core/errors.js";

export const VERSION = 1;
/** A message that says it is longer is not read. */
export const MAX_MESSAGE = 2 ** 30;
export const MAX_HEADER = 2 ** 22;
export const MAX_FRAMES = 65_536;

export interface Message {
  readonly t: string;
  readonly [field: string]: unknown;
}

export function encode(message: Message, frames: readonly Uint8Array[] = []): (string | Uint8Array)[] {
  return [JSON.stringify({ v: VERSION, ...message }), ...frames];
}

/** @throws ValueError for what is no message of this version */
export function decode([first, ...frames]: readonly Uint8Array[]): {
  message: Message;
  frames: readonly Uint8Array[];
} {
  const refuse = (why: string): never => {
    throw new ValueError(`parameter server: a damaged message: ${why}`);
  };
  if (!first || first.byteLength > MAX_HEADER || frames.length > MAX_FRAMES)
    return refuse("its header or the number of its frames is too large");
  let message: Message | null = null;
  try {
    message = JSON.parse(Buffer.from(first.buffer, first.byteOffset, first.byteLength).toString()) as Message;
  } catch {
    return refuse("its header is no JSON");
  }
  if (typeof message !== "object" || message === null || typeof message.t !== "string")
    return refuse("its header has no kind");
  if (message.v !== VERSION)
    return refuse(`it is of version ${String(message.v)}, this library speaks ${VERSION}`);
  return { message, frames };
}

/** Numbers of a frame, in place where they lie so that they can be read: not to be written. @throws ValueError if there are not `count` */
export function floats(frame: Uint8Array | undefined, count: number): Float32Array {
  return new Float32Array(...aligned(frame, count, 4));
}

export function ids(frame: Uint8Array | undefined, count: number): Uint32Array {
  return new Uint32Array(...aligned(frame, count, 4));
}

export function doubles(frame: Uint8Array | undefined, count: number): Float64Array {
  return new Float64Array(...aligned(frame, count, 8));
}

/** @throws ValueError if a frame has not `count` float32 values */
export function needFloats(frame: Uint8Array | undefined, count: number): void {
  needBytes(frame, count, 4);
}

function needBytes(frame: Uint8Array | undefined, count: number, size: number): asserts frame is Uint8Array {
  if (frame?.byteLength !== count * size)
    throw new ValueError(
      `parameter server: a damaged message: ${frame?.byteLength ?? 0} bytes for ${count} numbers of ${size} bytes`,
    );
}

function aligned(
  frame: Uint8Array | undefined,
  count: number,
  size: number,
): [buffer: ArrayBuffer, offset: number, count: number] {
  needBytes(frame, count, size);
  const { buffer, byteOffset } = frame;
  if (byteOffset % size === 0) return [buffer as ArrayBuffer, byteOffset, count];
  return [buffer.slice(byteOffset, byteOffset + count * size) as ArrayBuffer, 0, count];
}

export const bytesOf = (array: Float32Array | Uint32Array | Float64Array): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
