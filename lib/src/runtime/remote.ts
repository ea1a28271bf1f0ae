/**
 * Memory of devices that the host can't address (GPUs, another library's tensors). A device gives five functions; when
 * bytes are copied is decided by `Storage` alone: a copy stays valid on both sides until one of them is written.
 */
import type { DType } from "../core/dtype.js";
import type { Layout } from "../core/layout.js";
import { type DeviceInfo, registerDevice } from "./devices.js";

/** @typeParam H what the device calls a piece of its memory */
export interface DeviceMemory<H = unknown> {
  /** Name of the device. */
  readonly device: string;
  /** A piece for `length` elements; its contents are undefined. @throws DeviceError if there is no room. */
  allocate(bytes: number, dtype: DType, length: number): H;
  free(handle: H): void;
  /** Copies from the host heap at address `ptr`. The bytes there may change as soon as this returns. */
  upload(ptr: number, bytes: number, to: H): void;
  /** Copies to the host heap; waits for what writes `from`, and returns when the bytes are there. */
  download(from: H, bytes: number, ptr: number): void;
}

/** What a kernel of such a device gets: elements at `offset + Σ index·stride` of `handle`. */
export interface DeviceArray<H = unknown> extends Layout {
  readonly dtype: DType;
  readonly handle: H;
  /** Elements of the whole piece. */
  readonly length: number;
}

/** A kernel of such a device. Outputs are contiguous, new, and of offset 0. */
export interface RemoteKernel<H = unknown, A = never> {
  readonly op: string;
  /** False if this kernel cannot take such dtypes, layouts or attributes: then the host does the op. */
  supports?(inputs: readonly RemoteType[], outputs: readonly RemoteType[], attrs: A): boolean;
  run(inputs: readonly DeviceArray<H>[], outputs: readonly DeviceArray<H>[], attrs: A): void;
}

/** What is known of an array before its bytes are brought to the device. */
export interface RemoteType extends Layout {
  readonly dtype: DType;
}

/** What a device did so far. */
export interface DeviceCounts {
  /** Ops by kernels of the device, by name. */
  readonly native: ReadonlyMap<string, number>;
  /** Ops that the host did, by name. */
  readonly fallback: ReadonlyMap<string, number>;
  readonly uploads: number;
  readonly uploadedBytes: number;
  readonly downloads: number;
  readonly downloadedBytes: number;
}

export interface Remote {
  readonly memory: DeviceMemory;
  readonly kernels: Map<string, RemoteKernel>;
  counts: Counts;
}

class Counts implements DeviceCounts {
  readonly native = new Map<string, number>();
  readonly fallback = new Map<string, number>();
  uploads = 0;
  uploadedBytes = 0;
  downloads = 0;
  downloadedBytes = 0;
}

const remotes = new Map<string, Remote>();

/**
 * Makes a device with a memory of its own known; `probe` says whether this machine has it.
 * @example
 * extend.registerRemote({ device: "remote-a", allocate: () => 0, free: () => {}, upload: () => {}, download: () => {} }, () => ({ available: false, detail: "none" }));
 * devices().find((device) => device.name === "remote-a")?.detail // "none"
 */
export function registerRemote<H>(memory: DeviceMemory<H>, probe: () => Omit<DeviceInfo, "name">): void {
  remotes.set(memory.device, {
    memory: memory as DeviceMemory,
    kernels: new Map(),
    counts: new Counts(),
  });
  registerDevice(memory.device, probe);
}

/** The device of that name if it has a memory of its own. */
export function remoteOf(device: string): Remote | undefined {
  return remotes.get(device);
}

/**
 * Adds a kernel to a device that has a memory of its own; the last one registered wins.
 * @example
 * extend.registerRemote({ device: "remote-b", allocate: () => 0, free: () => {}, upload: () => {}, download: () => {} }, () => ({ available: false, detail: "none" }));
 * extend.registerRemoteKernel("remote-b", { op: "sin", run: (inputs, outputs) => {} });
 */
export function registerRemoteKernel<H, A>(device: string, kernel: RemoteKernel<H, A>): void {
  const remote = remotes.get(device);
  if (!remote) throw new TypeError(`registerRemoteKernel: there is no device "${device}"`);
  remote.kernels.set(kernel.op, kernel as unknown as RemoteKernel);
}

/**
 * What a device with a memory of its own did since the last `resetDeviceCounts`: ops by its own kernels, ops left to the
 * host, and copies.
 * @example
 * extend.registerRemote({ device: "remote-c", allocate: () => 0, free: () => {}, upload: () => {}, download: () => {} }, () => ({ available: false, detail: "none" }));
 * deviceCounts("remote-c").fallback.size // 0
 * @throws TypeError for other devices
 */
export function deviceCounts(device: string): DeviceCounts {
  const remote = remotes.get(device);
  if (!remote) throw new TypeError(`deviceCounts: "${device}" is no device with a memory of its own`);
  return remote.counts;
}

/** Starts the counts of a device anew. @example resetDeviceCounts("webgpu") */
export function resetDeviceCounts(device: string): void {
  const remote = remotes.get(device);
  if (remote) remote.counts = new Counts();
}

/** One op more that the device did, or left to the host. */
export function count(remote: Remote, how: "native" | "fallback", op: string): void {
  const counts = remote.counts[how];
  counts.set(op, (counts.get(op) ?? 0) + 1);
}

/** A copy of a storage on a device. */
export class RemoteCopy {
  readonly handle: unknown;

  constructor(
    private readonly remote: Remote,
    readonly bytes: number,
    dtype: DType,
    length: number,
  ) {
    this.handle = remote.memory.allocate(bytes, dtype, length);
  }

  isOn(remote: Remote): boolean {
    return this.remote === remote;
  }

  upload(ptr: number): void {
    const { counts, memory } = this.remote;
    counts.uploads++;
    counts.uploadedBytes += this.bytes;
    memory.upload(ptr, this.bytes, this.handle);
  }

  download(ptr: number): void {
    const { counts, memory } = this.remote;
    counts.downloads++;
    counts.downloadedBytes += this.bytes;
    memory.download(this.handle, this.bytes, ptr);
  }

  free(): void {
    this.remote.memory.free(this.handle);
  }
}
