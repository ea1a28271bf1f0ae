/**
 * Memory of the fake driver: real host memory at real addresses, so that copies copy and emulated kernels compute. Each
 * allocation lies between red zones that are checked after every kernel; new memory is filled with NaN.
 */
import { type Koffi, koffi } from "../../../src/runtime/native/ffi.js";

const ALIGN = 512;
const RED = 512;
const RED_BYTE = 0xa5;
const NEW_BYTE = 0xff;
const DEAD_BYTE = 0xdb;

export type MemoryKind = "device" | "pinned" | "registered";

export interface Access {
  readonly start: number;
  readonly end: number;
  readonly stream: number;
  /** The stream's clock. */
  readonly time: number;
  readonly write: boolean;
  readonly what: string;
}

export interface Allocation {
  readonly kind: MemoryKind;
  readonly address: number;
  readonly bytes: number;
  alive: boolean;
  /** Accesses that later ones may be in conflict with. */
  accesses: Access[];
  /** The whole buffer with red zones; null for memory of others. */
  readonly buffer: Uint8Array | null;
  readonly start: number;
}

export class FakeMemory {
  private readonly ffi: Koffi;
  private readonly copyBytes: (to: number, from: number, bytes: number) => void;
  private readonly copyTo: (to: ArrayBufferView, from: number, bytes: number) => void;
  private readonly copyFrom: (to: number, from: ArrayBufferView, bytes: number) => void;
  private readonly fillBytes: (to: number, value: number, bytes: number) => void;
  private all: Allocation[] = [];
  deviceBytes = 0;

  constructor(readonly totalBytes: number) {
    const loader = koffi();
    if (typeof loader === "string") throw new Error(loader);
    this.ffi = loader;
    const libc = loader.load(null as unknown as string);
    const copy = libc.func("memmove", "uintptr_t", ["void *", "void *", "size_t"]);
    this.copyBytes = copy as never;
    this.copyTo = copy as never;
    this.copyFrom = copy as never;
    this.fillBytes = libc.func("memset", "uintptr_t", ["void *", "int", "size_t"]) as never;
  }

  /** @returns null if there is no room */
  allocate(kind: "device" | "pinned", bytes: number): Allocation | null {
    if (kind === "device" && this.deviceBytes + bytes > this.totalBytes) return null;
    const buffer = new Uint8Array(new ArrayBuffer(bytes + 2 * RED + ALIGN)).fill(RED_BYTE);
    const base = Number(this.ffi.address(buffer));
    const address = Math.ceil((base + RED) / ALIGN) * ALIGN;
    const start = address - base;
    buffer.fill(NEW_BYTE, start, start + bytes);
    const allocation: Allocation = { kind, address, bytes, alive: true, accesses: [], buffer, start };
    this.all.push(allocation);
    if (kind === "device") this.deviceBytes += bytes;
    return allocation;
  }

  register(address: number, bytes: number): Allocation {
    const allocation: Allocation = {
      kind: "registered",
      address,
      bytes,
      alive: true,
      accesses: [],
      buffer: null,
      start: 0,
    };
    this.all.push(allocation);
    return allocation;
  }

  release(allocation: Allocation): void {
    allocation.alive = false;
    allocation.accesses = [];
    if (allocation.kind === "device") this.deviceBytes -= allocation.bytes;
    if (allocation.buffer) {
      this.checkZones(allocation);
      allocation.buffer.fill(DEAD_BYTE);
    } else this.all = this.all.filter((a) => a !== allocation);
  }

  /** The allocation, alive or dead, that holds an address; alive ones first. */
  find(address: number): Allocation | null {
    const holds = (a: Allocation) => address >= a.address && address < a.address + a.bytes;
    return this.all.find((a) => a.alive && holds(a)) ?? this.all.find(holds) ?? null;
  }

  living(): readonly Allocation[] {
    return this.all.filter((a) => a.alive);
  }

  copy(to: number, from: number, bytes: number): void {
    if (bytes > 0) this.copyBytes(to, from, bytes);
  }

  fill8(to: number, value: number, bytes: number): void {
    this.fillBytes(to, value, bytes);
  }

  fill32(to: number, value: number, count: number): void {
    const words = new Uint32Array(new ArrayBuffer(Math.max(128, count * 4)), 0, count).fill(value);
    if (count > 0) this.copyFrom(to, words, count * 4);
  }

  /** Bytes at any host address. */
  read(address: number, bytes: number): Uint8Array {
    const out = new Uint8Array(new ArrayBuffer(Math.max(128, bytes)), 0, bytes);
    if (bytes > 0) this.copyTo(out, address, bytes);
    return out;
  }

  write(address: number, bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    const fixed = new Uint8Array(new ArrayBuffer(Math.max(128, bytes.length)), 0, bytes.length);
    fixed.set(bytes);
    this.copyFrom(address, fixed, bytes.length);
  }

  addressOf(view: ArrayBufferView): number {
    return Number(this.ffi.address(view));
  }

  /** @throws Error if something wrote outside an allocation. */
  checkZones(only?: Allocation): void {
    for (const { buffer, start, bytes, address, alive } of only ? [only] : this.all) {
      if (!buffer || (!alive && !only)) continue;
      const bad = (i: number) => buffer[i] !== RED_BYTE;
      for (let i = 1; i <= RED && start - i >= 0; i++)
        if (bad(start - i)) throw new Error(`a kernel wrote ${i} bytes before 0x${address.toString(16)}`);
      for (let i = 0; i < RED && start + bytes + i < buffer.length; i++)
        if (bad(start + bytes + i))
          throw new Error(`a kernel wrote ${i} bytes behind the ${bytes} bytes at 0x${address.toString(16)}`);
    }
  }
}
