/**
 * The calling thread's side of the GPU: records commands, sends them in batches, and waits only where values are read.
 * An interrupt (V8's TerminateExecution) may come at any call here: a command is recorded by one call, a batch that was
 * sent twice runs once, and what an abandoned read brings lands in memory that only the next read looks at.
 */
import { type MessagePort, receiveMessageOnPort } from "node:worker_threads";
import { DeviceError, ValueError } from "../../core/errors.js";
import { memory } from "../heap.js";
import { BufferPool } from "./buffers.js";
import {
  type AdapterFacts,
  type Answer,
  type Batch,
  C,
  type DispatchTime,
  FAULT_BYTES,
  S,
  type ShaderMessage,
} from "./protocol.js";

/** A compute shader and what it is bound to. */
export interface Shader {
  /** The op or group of ops, for messages and profiles. */
  readonly label: string;
  readonly wgsl: string;
  /** Default: `main`. */
  readonly entry?: string;
  /** One letter for each storage binding from 0 on, `r` read or `w` written; then `u` if a uniform follows. */
  readonly bindings: string;
}

/** A buffer of the GPU. */
export interface GpuBuffer {
  readonly id: number;
  /** Bytes asked for. */
  readonly bytes: number;
  readonly owner: GpuQueue;
}

const COMMANDS_PER_BATCH = 192; // so that the GPU begins while the program goes on
const BATCHES_AHEAD = 8;
const SLICE_MS = 100; // an interrupt is looked for between two waits
const CLOSE_SLICES = 3000; // five minutes: kernels that run cannot be stopped, and Dawn does not survive being left
const LOST_SLICES = 20; // nothing runs on a lost device, but it may not answer either
const LEAST_STAGING = 1 << 20;
const KEPT_BYTES = 512 << 20;
const BLOB_BYTES = 32 << 20; // uploads that wait

interface Pending {
  first: number;
  commands: number[][];
  blobs: ArrayBuffer[];
  shaders: ShaderMessage[];
  blobBytes: number;
}

const nothing = (first: number): Pending => ({ first, commands: [], blobs: [], shaders: [], blobBytes: 0 });

export class GpuQueue {
  readonly buffers: BufferPool;
  private readonly status: Int32Array;
  private readonly shaders = new Map<string, number>();
  /** The same by object: texts are long. */
  private readonly shaderIds = new WeakMap<Shader, number>();
  private readonly answers = new Map<number, (data: ArrayBuffer | null) => void>();
  private pending = nothing(0);
  private sending: { batch: Batch; commands: number; shaders: number } | null = null;
  private staging = new SharedArrayBuffer(LEAST_STAGING);
  private sequence = 0;
  private failures = 0;
  private posted = 0;
  private messages: string[] = [];
  private times: DispatchTime[] = [];
  private turnEnd = false;
  private faults: GpuBuffer | null = null;
  private guarded = false;
  private readonly guards: string[] = [];
  private deviceLost: string | null = null;
  /** Counts for tests and profiles. */
  readonly counts = { dispatches: 0, batches: 0, reads: 0, uploads: 0, shaders: 0 };

  constructor(
    private readonly port: MessagePort,
    status: SharedArrayBuffer,
    readonly facts: AdapterFacts,
  ) {
    this.status = new Int32Array(status);
    this.buffers = new BufferPool(
      (id, bytes) => this.record([C.CREATE, id, bytes]),
      (id) => this.record([C.DESTROY, id]),
      KEPT_BYTES,
    );
    port.on("message", (answer: Answer) => this.hear(answer));
    port.unref();
  }

  /** @throws DeviceError for more bytes than the adapter has in one binding. */
  allocate(bytes: number): GpuBuffer {
    this.check();
    const most = this.largestBuffer;
    if (BufferPool.sizeOf(bytes) > most)
      throw new DeviceError(
        `webgpu: a tensor of ${bytes} bytes is more than this adapter binds at once (${most} bytes)`,
      );
    return { id: this.buffers.allocate(bytes), bytes, owner: this };
  }

  /** Bytes of the largest buffer that shaders may be bound to. */
  get largestBuffer(): number {
    const { maxBufferSize, maxStorageBufferBindingSize } = this.facts.limits;
    return Math.min(maxBufferSize, maxStorageBufferBindingSize);
  }

  release(buffer: GpuBuffer): void {
    if (this.lost === null) this.buffers.release(buffer.id, buffer.bytes);
  }

  /** Copies bytes of the heap to the start of a buffer. They may change as soon as this returns. */
  upload(ptr: number, bytes: number, to: GpuBuffer): void {
    if (bytes === 0) return;
    this.check(to);
    const blob = new ArrayBuffer((bytes + 3) & ~3);
    new Uint8Array(blob).set(new Uint8Array(memory.buffer, ptr, bytes));
    const { pending } = this;
    const number = pending.blobs.push(blob) - 1;
    pending.blobBytes += blob.byteLength;
    this.counts.uploads++;
    this.record([C.UPLOAD, to.id, 0, number]);
    if (pending.blobBytes > BLOB_BYTES) this.flush();
  }

  /** Copies the first `bytes` bytes of a buffer into the heap, and waits for them. @throws DeviceError for everything that went wrong until then. */
  download(from: GpuBuffer, bytes: number, ptr: number): void {
    if (bytes === 0) return;
    this.check(from);
    const padded = (bytes + 3) & ~3;
    if (padded + FAULT_BYTES > this.staging.byteLength) {
      this.flush();
      this.staging = new SharedArrayBuffer(2 ** Math.ceil(Math.log2(padded + FAULT_BYTES)));
    }
    const { staging } = this;
    const number = ++this.sequence;
    const faults = this.takeFaults();
    this.counts.reads++;
    this.record([C.DOWNLOAD, from.id, 0, padded, number, 0, faults]);
    this.wait(number);
    if (faults !== 0) this.checkFaults(new Int32Array(staging, padded, FAULT_BYTES / 4));
    new Uint8Array(memory.buffer, ptr, bytes).set(new Uint8Array(staging, 0, bytes));
  }

  /**
   * For shaders that are given positions: where they report one that is outside, and the number to do it under. Whoever
   * reads from the device next is told. The buffer holds FAULT_BYTES as `array<atomic<u32>>`.
   */
  guard(op: string): { readonly buffer: GpuBuffer; readonly number: number } {
    if (this.faults === null) {
      this.faults = this.allocate(FAULT_BYTES);
      this.clear(this.faults, 0, FAULT_BYTES);
    }
    this.guarded = true;
    let number = this.guards.indexOf(op);
    if (number < 0) number = this.guards.push(op) - 1;
    return { buffer: this.faults, number };
  }

  /** The faults' buffer if something may be in it; 0: nothing is. */
  private takeFaults(): number {
    const id = this.guarded && this.faults !== null ? this.faults.id : 0;
    this.guarded = false;
    return id;
  }

  private checkFaults([count, guard, index, size]: Int32Array): void {
    if (count !== 0)
      throw new ValueError(
        `${this.guards[guard]}: index ${index} is out of range for an axis of size ${size}${count > 1 ? ` (and ${count - 1} more like it)` : ""}`,
      );
  }

  /** The same without blocking this thread. */
  async read(from: GpuBuffer, bytes: number): Promise<ArrayBuffer> {
    this.check(from);
    const number = ++this.sequence;
    const faults = this.takeFaults();
    this.counts.reads++;
    this.record([C.DOWNLOAD, from.id, 0, (bytes + 3) & ~3, number, 1, faults]);
    this.flush();
    this.port.ref(); // the process waits for the answer
    const data = await new Promise<ArrayBuffer | null>((resolve) => this.answers.set(number, resolve));
    if (this.answers.size === 0) this.port.unref();
    this.check();
    if (!data) throw new DeviceError("webgpu: the values could not be read back");
    if (faults !== 0) this.checkFaults(new Int32Array(data, (bytes + 3) & ~3, FAULT_BYTES / 4));
    return data.slice(0, bytes);
  }

  copy(from: GpuBuffer, fromByte: number, to: GpuBuffer, toByte: number, bytes: number): void {
    this.check(from, to);
    this.record([C.COPY, from.id, fromByte, to.id, toByte, bytes]);
  }

  /** Zeros from byte `from` on; both numbers are multiples of 4. */
  clear(buffer: GpuBuffer, from: number, bytes: number): void {
    this.check(buffer);
    this.record([C.CLEAR, buffer.id, from, bytes]);
  }

  /**
   * Runs a shader on so many workgroups.
   * @param uniform 32-bit words; floats by their bits, see `floatBits`
   */
  dispatch(
    shader: Shader,
    buffers: readonly GpuBuffer[],
    uniform: readonly number[],
    [x, y = 1, z = 1]: readonly number[],
  ): void {
    if (x === 0 || y === 0 || z === 0) return;
    this.check(...buffers);
    const most = this.facts.limits.maxComputeWorkgroupsPerDimension;
    if (x > most || y > most || z > most)
      throw new DeviceError(
        `webgpu: ${shader.label}: ${x} × ${y} × ${z} workgroups are more than the ${most} that this adapter takes along one dimension`,
      );
    const ids = buffers.map((buffer) => buffer.id);
    for (const [i, buffer] of ids.entries())
      if (shader.bindings[i] === "w" && ids.indexOf(buffer) !== ids.lastIndexOf(buffer))
        throw new DeviceError(`webgpu: ${shader.label}: binding ${i} is written and bound a second time`);
    const id = this.shaderId(shader);
    this.counts.dispatches++;
    this.record([C.DISPATCH, id, x, y, z, ids.length, ...ids, ...uniform]);
  }

  /** Compiles a shader ahead of its first dispatch. */
  prepare(shader: Shader): void {
    this.shaderId(shader);
    this.record([C.NOTHING]);
  }

  /** Waits until everything is done. @throws DeviceError for what went wrong until then. */
  finish(): void {
    this.check();
    const number = ++this.sequence;
    this.record([C.FINISH, number]);
    this.wait(number);
  }

  /** Runs `body` and returns how long each dispatch took on the device. @throws DeviceError without timestamps. */
  timed(body: () => void): readonly DispatchTime[] {
    if (!this.facts.features.includes("timestamp-query"))
      throw new DeviceError("webgpu: this adapter offers no timestamps");
    this.finish();
    this.times = [];
    this.record([C.TIME, 1]);
    try {
      body();
    } finally {
      this.record([C.TIME, 0]);
    }
    this.finish();
    this.drain();
    return this.times;
  }

  /** Sends what was recorded. */
  flush(): void {
    this.recover();
    const { pending } = this;
    if (pending.commands.length === 0) return;
    this.awaitTurn();
    const { first, commands, blobs, shaders } = pending;
    const words = flat(commands);
    const batch: Batch = { first, words, blobs: [...blobs], shaders: [...shaders], staging: this.staging };
    this.sending = { batch, commands: commands.length, shaders: shaders.length };
    this.pending = nothing(first + commands.length);
    this.post(batch);
    this.sending = null;
  }

  /** Puts right what an interrupt in `flush` left. */
  private recover(): void {
    const { sending, pending } = this;
    if (sending === null) return;
    const { batch, commands, shaders } = sending;
    if (pending.first === batch.first) {
      const rest = nothing(batch.first + commands);
      rest.commands.push(...pending.commands.slice(commands));
      rest.shaders.push(...pending.shaders.slice(shaders));
      rest.blobs.push(
        ...pending.blobs.map((blob, i) => (i < batch.blobs.length ? new ArrayBuffer(0) : blob)),
      );
      this.pending = rest;
    }
    if (batch.words.byteLength > 0) this.post(batch); // what was sent has no memory here any more
    this.sending = null;
  }

  private post(batch: Batch): void {
    this.posted++;
    this.counts.batches++;
    this.port.postMessage(batch, [batch.words.buffer as ArrayBuffer, ...batch.blobs]);
  }

  /** The program does not run away from the GPU. */
  private awaitTurn(): void {
    const { status } = this;
    for (;;) {
      const taken = Atomics.load(status, S.TAKEN);
      if (this.posted - taken < BATCHES_AHEAD || this.lost !== null) return;
      Atomics.wait(status, S.TAKEN, taken, SLICE_MS);
    }
  }

  /** Ends the device, and waits until it has ended. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    const slices = this.lost === null ? CLOSE_SLICES : LOST_SLICES;
    Atomics.store(this.status, S.CLOSING, 1);
    this.port.postMessage(null);
    for (let i = 0; i < slices; i++) {
      const state = Atomics.load(this.status, S.STATE);
      if (state === 4) break;
      Atomics.wait(this.status, S.STATE, state, SLICE_MS);
    }
    this.deviceLost ??= "it was closed";
  }
  private closed = false;

  /** Why the device is gone, or `null`. */
  get lost(): string | null {
    if (this.deviceLost === null && Atomics.load(this.status, S.STATE) === 3) {
      this.drain();
      this.deviceLost = this.messages.at(-1) ?? "the device was lost";
    }
    return this.deviceLost;
  }

  /** @throws DeviceError if the device is gone, something failed, or a buffer is another device's. */
  check(...buffers: readonly GpuBuffer[]): void {
    const { lost } = this;
    if (lost !== null) throw new DeviceError(`webgpu: ${lost}; its tensors are lost with it`);
    for (const { owner } of buffers)
      if (owner !== this)
        throw new DeviceError(`webgpu: the tensor was on a device that is gone: ${owner.lost ?? "closed"}`);
    if (Atomics.load(this.status, S.FAILURES) !== this.failures) this.drain();
    if (this.messages.length === 0) return;
    const messages = this.messages.splice(0);
    if (messages.length > 0) throw new DeviceError(`webgpu: ${messages.slice(0, 3).join("; ")}`);
  }

  private record(command: number[]): void {
    const count = this.pending.commands.push(command);
    if (count >= COMMANDS_PER_BATCH) this.flush();
    else this.flushAtTurnEnd();
  }

  private flushAtTurnEnd(): void {
    if (this.turnEnd) return;
    this.turnEnd = true;
    setImmediate(() => {
      this.turnEnd = false;
      this.flush();
    }).unref();
  }

  private shaderId(shader: Shader): number {
    const known = this.shaderIds.get(shader);
    if (known !== undefined) return known;
    const { entry = "main" } = shader;
    const key = `${shader.bindings} ${entry}\n${shader.wgsl}`;
    let id = this.shaders.get(key);
    if (id === undefined) {
      id = this.shaders.size + 1;
      this.pending.shaders.push({ id, ...shader, entry });
      this.shaders.set(key, id);
      this.counts.shaders++;
    }
    this.shaderIds.set(shader, id);
    return id;
  }

  private wait(number: number): void {
    this.flush();
    const { status } = this;
    for (;;) {
      const done = Atomics.load(status, S.DONE);
      if (((done - number) | 0) >= 0 || this.lost !== null) break;
      Atomics.wait(status, S.DONE, done, SLICE_MS);
    }
    this.check();
  }

  /** Takes the answers that have come, without the event loop. */
  private drain(): void {
    for (let got = receiveMessageOnPort(this.port); got; got = receiveMessageOnPort(this.port))
      this.hear(got.message as Answer);
  }

  private hear(answer: Answer): void {
    if (answer.kind === "failure") {
      this.failures++;
      this.messages.push(answer.message);
    } else if (answer.kind === "times") this.times.push(...answer.times);
    else if (answer.kind === "data") {
      this.answers.get(answer.sequence)?.(answer.data);
      this.answers.delete(answer.sequence);
    }
  }
}

/** Each command behind its length. */
function flat(commands: readonly number[][]): Int32Array {
  const words = new Int32Array(commands.reduce((sum, command) => sum + command.length + 1, 0));
  let at = 0;
  for (const command of commands) {
    words[at] = command.length + 1;
    words.set(command, at + 1);
    at += command.length + 1;
  }
  return words;
}

const float = new Float32Array(1);
const bits = new Int32Array(float.buffer);

/** A float32's bits, as uniforms carry it. */
export function floatBits(value: number): number {
  float[0] = value;
  return bits[0];
}
