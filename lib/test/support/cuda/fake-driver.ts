/**
 * A CUDA driver for tests: the same table of functions, on host memory. It records every call and checks what a real driver
 * leaves unchecked: lifetimes, ranges, pinned memory, races between streams, arguments of kernels. Mistakes of the caller
 * that no driver would report are thrown as errors; what a driver reports comes back as its code.
 */
import { Attribute, type RawDriver, TENSOR_MAP_BYTES } from "../../../src/runtime/cuda/driver.js";
import { emulatedKernels } from "./emulator.js";
import { type FakeImage, readImage } from "./fake-image.js";
import { type Allocation, FakeMemory } from "./fake-memory.js";
import { type FakeEvent, type FakeStream, FakeStreams, type Range, type Work } from "./fake-streams.js";

type Host = number | ArrayBufferView | null;

interface FakeFunction {
  readonly name: string;
  readonly image: FakeImage;
  readonly module: number;
  sharedAllowed: number;
}

interface FakeExec {
  nodes: readonly Work[];
}

export interface FakeOptions {
  /** Compute capability. Default [9, 0]. */
  readonly capability?: readonly [number, number];
  /** Device memory. Default 1 GiB. */
  readonly totalBytes?: number;
  /** Number of devices. Default 1. */
  readonly devices?: number;
  readonly seed?: number;
  /** Kernels compute. Default true; otherwise they are only checked. */
  readonly emulate?: boolean;
}

const SUCCESS = 0;
const INVALID_VALUE = 1;
const OUT_OF_MEMORY = 2;
const INVALID_HANDLE = 400;
const NOT_FOUND = 500;
const NOT_READY = 600;
/** The code of success, behind what was done. */
const done = (..._: readonly unknown[]): number => SUCCESS;
const SHARED_WITHOUT_ASKING = 48 * 1024;

export class FakeDriver {
  readonly memory: FakeMemory;
  readonly streams: FakeStreams;
  /** Kernels compute; false: they are only checked, and their sources kept in `sources`. */
  emulate: boolean;
  readonly sources = new Set<string>();
  /** Names of the functions called, in order. */
  readonly calls: string[] = [];
  readonly raw: RawDriver;
  private readonly modules = new Map<number, FakeImage>();
  private readonly functions = new Map<number, FakeFunction>();
  private readonly graphs = new Map<number, readonly Work[]>();
  private readonly execs = new Map<number, FakeExec>();
  private handles = 0x1000;
  private started = false;
  private current = false;
  private state: number;

  constructor(private readonly options: FakeOptions = {}) {
    this.emulate = options.emulate ?? true;
    this.state = (options.seed ?? 1) >>> 0;
    this.memory = new FakeMemory(options.totalBytes ?? 2 ** 30);
    this.streams = new FakeStreams(() => this.random());
    const table = {
      ...this.setup(),
      ...this.allocation(),
      ...this.copies(),
      ...this.order(),
      ...this.kernels(),
    };
    this.raw = new Proxy(table as unknown as RawDriver, {
      get: (target, name: string) => {
        const f = (target as unknown as Record<string, (...args: unknown[]) => number>)[name];
        if (!f) throw new Error(`the fake driver has no ${name}`);
        return (...args: unknown[]) => {
          this.calls.push(name);
          if (name !== "cuInit" && name !== "cuDriverGetVersion") {
            if (!this.started) return 3;
            if (!this.current && !/^cuDevice|^cuCtxSetCurrent/.test(name)) return 201;
          }
          return f(...args);
        };
      },
    });
  }

  random(): number {
    this.state = (Math.imul(this.state, 1664525) + 1013904223) >>> 0;
    return this.state / 2 ** 32;
  }

  /** What was made and not destroyed. */
  leaks(): string[] {
    return [
      ...this.memory.living().map((a) => `${a.bytes} ${a.kind} bytes`),
      ...[...this.streams.streams.values()].filter((s) => s.alive).map((s) => `stream ${s.id}`),
      ...[...this.streams.events.values()].filter((e) => e.alive).map((e) => `event ${e.id}`),
      ...[...this.modules.keys()].map((id) => `module ${id}`),
      ...[...this.graphs.keys()].map((id) => `graph ${id}`),
      ...[...this.execs.keys()].map((id) => `executable graph ${id}`),
    ];
  }

  /** A living piece of device memory. @throws Error for one that is not. */
  range(address: number, bytes: number, write: boolean, what: string): Range {
    const allocation = this.memory.find(address);
    const at = `0x${address.toString(16)}`;
    if (!allocation) throw new Error(`${what}: ${at} is no memory of the device`);
    if (!allocation.alive) throw new Error(`${what}: ${at} is used after it was freed`);
    if (address + bytes > allocation.address + allocation.bytes)
      throw new Error(
        `${what}: ${bytes} bytes at ${at} go ${address + bytes - allocation.address - allocation.bytes} beyond its allocation`,
      );
    return { allocation, start: address, end: address + bytes, write };
  }

  stream(handle: number): FakeStream | null {
    const stream = this.streams.streams.get(handle);
    return stream?.alive ? stream : null;
  }

  enqueue(stream: FakeStream, work: Work): void {
    const alive = (ranges: readonly Range[]) => {
      for (const { allocation, start } of ranges)
        if (!allocation.alive)
          throw new Error(`${work.kind}: 0x${start.toString(16)} was freed before the work ran`);
    };
    this.streams.enqueue(stream, {
      ...work,
      run: () => {
        alive(work.ranges);
        work.run();
      },
    });
  }

  private handle(): number {
    this.handles += 0x10;
    return this.handles;
  }

  private put(out: Host, value: number | bigint, index = 0): void {
    this.putBytes(out, new Uint8Array(new BigInt64Array([BigInt(value)]).buffer), index * 8);
  }

  private putInt(out: Host, value: number): void {
    this.putBytes(out, new Uint8Array(new Int32Array([value]).buffer));
  }

  putBytes(out: Host, bytes: Uint8Array, at = 0): void {
    if (out === null) throw new Error("a null pointer for a result");
    if (typeof out === "number") this.memory.write(out + at, bytes);
    else new Uint8Array(out.buffer, out.byteOffset, out.byteLength).set(bytes, at);
  }

  private hostAddress(host: Host): number {
    if (host === null) throw new Error("a null pointer");
    return typeof host === "number" ? host : this.memory.addressOf(host);
  }

  private pinned(host: Host, bytes: number, write: boolean, what: string): Range {
    const address = this.hostAddress(host);
    const allocation = this.memory.find(address);
    if (!allocation || allocation.kind === "device" || !allocation.alive)
      throw new Error(`${what}: asynchronous copies need pinned host memory`);
    return this.range(address, bytes, write, what);
  }

  private setup() {
    const { capability = [9, 0], devices = 1 } = this.options;
    const attributes: Readonly<Record<number, number>> = {
      [Attribute.computeCapabilityMajor]: capability[0],
      [Attribute.computeCapabilityMinor]: capability[1],
      [Attribute.multiprocessorCount]: 4,
      [Attribute.clockRateKHz]: 1_000_000,
      [Attribute.memoryClockRateKHz]: 2_000_000,
      [Attribute.memoryBusWidthBits]: 5120,
      [Attribute.l2CacheBytes]: 50 << 20,
      [Attribute.sharedMemoryPerBlockOptin]: 232_448,
      [Attribute.warpSize]: 32,
      [Attribute.maxThreadsPerBlock]: 1024,
    };
    return {
      cuInit: () => {
        if (devices === 0) return 100;
        this.started = true;
        return SUCCESS;
      },
      cuDriverGetVersion: (out: Host) => done(this.putInt(out, 13000)),
      cuDeviceGetCount: (out: Host) => done(this.putInt(out, devices)),
      cuDeviceGet: (out: Host, ordinal: number) => {
        if (ordinal >= devices) return 101;
        this.putInt(out, ordinal);
        return SUCCESS;
      },
      cuDeviceGetName: (out: Host) =>
        done(this.putBytes(out, new TextEncoder().encode("Emulated CUDA device\0"))),
      cuDeviceTotalMem_v2: (out: Host) => done(this.put(out, this.memory.totalBytes)),
      cuDeviceGetAttribute: (out: Host, attribute: number) => {
        if (attributes[attribute] === undefined) return INVALID_VALUE;
        this.putInt(out, attributes[attribute]);
        return SUCCESS;
      },
      cuDevicePrimaryCtxRetain: (out: Host) => done(this.put(out, this.handle())),
      cuDevicePrimaryCtxRelease_v2: () => SUCCESS,
      cuCtxSetCurrent: () => {
        this.current = true;
        return SUCCESS;
      },
      cuCtxSynchronize: () => {
        if (this.streams.capturing) return 900;
        this.streams.synchronizeAll();
        return SUCCESS;
      },
    };
  }

  private allocation() {
    const free = (address: number, kind: "device" | "pinned"): number => {
      const allocation = this.memory.find(address);
      if (!allocation || allocation.address !== address || allocation.kind !== kind) return INVALID_VALUE;
      if (!allocation.alive) throw new Error(`0x${address.toString(16)} is freed twice`);
      this.streams.synchronizeAll(); // as the driver does
      this.memory.release(allocation);
      return SUCCESS;
    };
    return {
      cuMemGetInfo_v2: (freeBytes: Host, total: Host) => {
        this.put(freeBytes, this.memory.totalBytes - this.memory.deviceBytes);
        this.put(total, this.memory.totalBytes);
        return SUCCESS;
      },
      cuMemAlloc_v2: (out: Host, bytes: number) => {
        if (bytes <= 0) return INVALID_VALUE;
        const allocation = this.memory.allocate("device", bytes);
        if (!allocation) return OUT_OF_MEMORY;
        this.put(out, allocation.address);
        return SUCCESS;
      },
      cuMemFree_v2: (address: number) => free(address, "device"),
      cuMemHostAlloc: (out: Host, bytes: number) => {
        this.put(out, (this.memory.allocate("pinned", bytes) as Allocation).address);
        return SUCCESS;
      },
      cuMemFreeHost: (address: Host) => free(this.hostAddress(address), "pinned"),
      cuMemHostRegister_v2: (host: Host, bytes: number) => {
        const address = this.hostAddress(host);
        if (this.memory.find(address)?.alive) return 712;
        this.memory.register(address, bytes);
        return SUCCESS;
      },
      cuMemHostUnregister: (host: Host) => {
        const found = this.memory.find(this.hostAddress(host));
        if (found?.kind !== "registered") return 713;
        this.streams.synchronizeAll();
        this.memory.release(found);
        return SUCCESS;
      },
    };
  }

  private copies() {
    const { memory } = this;
    const copy = (kind: string, to: Range, from: Range, stream: number): number => {
      const queue = this.stream(stream);
      if (!queue) return INVALID_HANDLE;
      const bytes = to.end - to.start;
      this.enqueue(queue, {
        kind,
        shape: kind,
        ranges: [to, from],
        run: () => memory.copy(to.start, from.start, bytes),
      });
      return SUCCESS;
    };
    return {
      cuMemcpyHtoD_v2: (to: number, from: Host, bytes: number) => {
        if (this.streams.capturing) return 906;
        this.range(to, bytes, true, "cuMemcpyHtoD");
        this.streams.synchronizeAll();
        memory.copy(to, this.hostAddress(from), bytes);
        return SUCCESS;
      },
      cuMemcpyDtoH_v2: (to: Host, from: number, bytes: number) => {
        if (this.streams.capturing) return 906;
        this.range(from, bytes, false, "cuMemcpyDtoH");
        this.streams.synchronizeAll();
        memory.copy(this.hostAddress(to), from, bytes);
        return SUCCESS;
      },
      cuMemcpyHtoDAsync_v2: (to: number, from: Host, bytes: number, stream: number) =>
        copy(
          "cuMemcpyHtoDAsync",
          this.range(to, bytes, true, "cuMemcpyHtoDAsync"),
          this.pinned(from, bytes, false, "cuMemcpyHtoDAsync"),
          stream,
        ),
      cuMemcpyDtoHAsync_v2: (to: Host, from: number, bytes: number, stream: number) =>
        copy(
          "cuMemcpyDtoHAsync",
          this.pinned(to, bytes, true, "cuMemcpyDtoHAsync"),
          this.range(from, bytes, false, "cuMemcpyDtoHAsync"),
          stream,
        ),
      cuMemcpyDtoDAsync_v2: (to: number, from: number, bytes: number, stream: number) =>
        copy(
          "cuMemcpyDtoDAsync",
          this.range(to, bytes, true, "cuMemcpyDtoDAsync"),
          this.range(from, bytes, false, "cuMemcpyDtoDAsync"),
          stream,
        ),
      cuMemsetD8Async: (to: number, value: number, bytes: number, stream: number) =>
        this.fill("cuMemsetD8Async", this.range(to, bytes, true, "cuMemsetD8Async"), stream, () =>
          memory.fill8(to, value, bytes),
        ),
      cuMemsetD32Async: (to: number, value: number, count: number, stream: number) =>
        this.fill("cuMemsetD32Async", this.range(to, count * 4, true, "cuMemsetD32Async"), stream, () =>
          memory.fill32(to, value, count),
        ),
    };
  }

  private fill(kind: string, range: Range, stream: number, run: () => void): number {
    const queue = this.stream(stream);
    if (!queue) return INVALID_HANDLE;
    this.enqueue(queue, { kind, shape: kind, ranges: [range], run });
    return SUCCESS;
  }

  private order() {
    const { streams } = this;
    const withStream = (handle: number, use: (s: FakeStream) => number): number => {
      const stream = this.stream(handle);
      return stream ? use(stream) : INVALID_HANDLE;
    };
    const withEvent = (handle: number, use: (e: FakeEvent) => number): number => {
      const event = streams.events.get(handle);
      return event?.alive ? use(event) : INVALID_HANDLE;
    };
    return {
      cuStreamCreateWithPriority: (out: Host) => done(this.put(out, streams.create(this.handle()).id)),
      cuStreamDestroy_v2: (handle: number) =>
        withStream(handle, (s) => {
          streams.synchronize(s);
          s.alive = false;
          return SUCCESS;
        }),
      cuStreamSynchronize: (handle: number) =>
        withStream(handle, (s) => {
          if (s.capture) {
            s.capture.invalid = true;
            return 900;
          }
          streams.synchronize(s);
          return SUCCESS;
        }),
      cuStreamQuery: (handle: number) => withStream(handle, (s) => (s.ran < s.total ? NOT_READY : SUCCESS)),
      cuStreamWaitEvent: (stream: number, event: number) =>
        withStream(stream, (s) => withEvent(event, (e) => streams.wait(s, e))),
      cuStreamBeginCapture_v2: (handle: number) =>
        withStream(handle, (s) => {
          if (s.capture) return 401;
          streams.begin(s);
          return SUCCESS;
        }),
      cuStreamEndCapture: (handle: number, out: Host) =>
        withStream(handle, (s) => {
          const nodes = streams.end(s);
          if (typeof nodes === "number") {
            this.put(out, 0);
            return nodes;
          }
          const graph = this.handle();
          this.graphs.set(graph, nodes);
          this.put(out, graph);
          return SUCCESS;
        }),
      cuStreamIsCapturing: (handle: number, out: Host) =>
        withStream(handle, (s) => done(this.putInt(out, s.capture ? 1 : 0))),
      cuEventCreate: (out: Host, flags: number) => {
        const id = this.handle();
        const timing = (flags & 2) === 0;
        streams.events.set(id, { id, timing, alive: true, state: null, passedAt: Number.NaN });
        this.put(out, id);
        return SUCCESS;
      },
      cuEventDestroy_v2: (handle: number) =>
        withEvent(handle, (e) => {
          e.alive = false;
          return SUCCESS;
        }),
      cuEventRecord: (event: number, stream: number) =>
        withStream(stream, (s) => withEvent(event, (e) => done(streams.record(e, s)))),
      cuEventQuery: (handle: number) =>
        withEvent(handle, (e) => {
          if (e.state?.capture) return 907;
          return streams.passed(e) ? SUCCESS : NOT_READY;
        }),
      cuEventSynchronize: (handle: number) =>
        withEvent(handle, (e) => {
          if (e.state?.capture) return 907;
          streams.synchronizeEvent(e);
          return SUCCESS;
        }),
      cuEventElapsedTime: (out: Host, start: number, end: number) =>
        withEvent(start, (a) =>
          withEvent(end, (b) => {
            if (!a.timing || !b.timing) return INVALID_HANDLE;
            if (Number.isNaN(a.passedAt) || Number.isNaN(b.passedAt)) return NOT_READY;
            this.putBytes(out, new Uint8Array(new Float32Array([b.passedAt - a.passedAt]).buffer));
            return SUCCESS;
          }),
        ),
      cuGraphInstantiateWithFlags: (out: Host, graph: number) => {
        const nodes = this.graphs.get(graph);
        if (!nodes) return INVALID_HANDLE;
        const exec = this.handle();
        this.execs.set(exec, { nodes });
        this.put(out, exec);
        return SUCCESS;
      },
      cuGraphGetNodes: (graph: number, nodes: Host, count: Host) => {
        const found = this.graphs.get(graph);
        if (!found) return INVALID_HANDLE;
        if (nodes !== null) throw new Error("cuGraphGetNodes: only the count is implemented");
        this.put(count, found.length);
        return SUCCESS;
      },
      cuGraphExecUpdate_v2: (exec: number, graph: number) => {
        const [have, want] = [this.execs.get(exec), this.graphs.get(graph)];
        if (!have || !want) return INVALID_HANDLE;
        const shape = (nodes: readonly Work[]) => JSON.stringify(nodes.map((node) => node.shape));
        if (shape(have.nodes) !== shape(want)) return 910;
        have.nodes = want;
        return SUCCESS;
      },
      cuGraphLaunch: (exec: number, stream: number) => {
        const nodes = this.execs.get(exec)?.nodes;
        const queue = this.stream(stream);
        if (!nodes || !queue) return INVALID_HANDLE;
        for (const node of nodes) {
          for (const { allocation, start } of node.ranges)
            if (!allocation.alive)
              throw new Error(`a graph uses 0x${start.toString(16)}, which was freed (${node.kind})`);
          this.enqueue(queue, node);
        }
        return SUCCESS;
      },
      cuGraphExecDestroy: (exec: number) => (this.execs.delete(exec) ? SUCCESS : INVALID_HANDLE),
      cuGraphDestroy: (graph: number) => (this.graphs.delete(graph) ? SUCCESS : INVALID_HANDLE),
    };
  }

  private kernels() {
    const withFunction = (handle: number, use: (f: FakeFunction) => number): number => {
      const found = this.functions.get(handle);
      return found && this.modules.has(found.module) ? use(found) : INVALID_HANDLE;
    };
    return {
      cuModuleLoadDataEx: (out: Host, image: Host) => {
        const parsed = readImage(image as Uint8Array);
        if (!parsed) return 200;
        const [major, minor] = this.options.capability ?? [9, 0];
        const arch = Number(/\d+/.exec(parsed.arch)?.[0]);
        if (arch > major * 10 + minor || (parsed.arch.endsWith("a") && arch !== major * 10 + minor))
          return 209;
        const id = this.handle();
        this.modules.set(id, parsed);
        this.put(out, id);
        return SUCCESS;
      },
      cuModuleUnload: (module: number) => {
        this.streams.synchronizeAll();
        return this.modules.delete(module) ? SUCCESS : INVALID_HANDLE;
      },
      cuModuleGetFunction: (out: Host, module: number, name: string) => {
        const image = this.modules.get(module);
        if (!image) return INVALID_HANDLE;
        if (!image.kernels.has(name)) return NOT_FOUND;
        const id = this.handle();
        this.functions.set(id, { name, image, module, sharedAllowed: SHARED_WITHOUT_ASKING });
        this.put(out, id);
        return SUCCESS;
      },
      cuFuncGetAttribute: (out: Host, _attribute: number, f: number) =>
        withFunction(f, () => done(this.putInt(out, 0))),
      cuFuncSetAttribute: (f: number, attribute: number, value: number) =>
        withFunction(f, (found) => {
          if (attribute !== 8 || value > 232_448) return INVALID_VALUE;
          found.sharedAllowed = value;
          return SUCCESS;
        }),
      cuOccupancyMaxActiveBlocksPerMultiprocessor: (out: Host, f: number, threads: number) =>
        withFunction(f, () => done(this.putInt(out, Math.floor(2048 / threads)))),
      cuLaunchKernel: (
        f: number,
        gx: number,
        gy: number,
        gz: number,
        bx: number,
        by: number,
        bz: number,
        shared: number,
        stream: number,
        args: Host,
      ) =>
        withFunction(f, (found) => {
          const queue = this.stream(stream);
          if (!queue) return INVALID_HANDLE;
          if (bx * by * bz > 1024 || shared > found.sharedAllowed) return INVALID_VALUE;
          this.launch(found, queue, [gx, gy, gz, bx, by, bz, shared], this.hostAddress(args));
          return SUCCESS;
        }),
      cuTensorMapEncodeTiled: (
        out: Host,
        type: number,
        rank: number,
        address: number,
        ...more: unknown[]
      ) => {
        const [dims, strides, box, , , swizzle] = more as [
          BigUint64Array,
          BigUint64Array,
          Uint32Array,
          Uint32Array,
          number,
          number,
        ];
        if (rank !== 2 || address % 16 || strides[0] % 16n) return INVALID_VALUE;
        this.range(address, Number(strides[0] * dims[1]) - 0, false, "cuTensorMapEncodeTiled");
        const words = new BigUint64Array(TENSOR_MAP_BYTES / 8);
        words.set([
          BigInt(address),
          dims[0],
          dims[1],
          strides[0],
          BigInt(box[0]),
          BigInt(box[1]),
          BigInt(swizzle),
          BigInt(type),
        ]);
        this.putBytes(out, new Uint8Array(words.buffer));
        return SUCCESS;
      },
    };
  }

  /** Reads the arguments, checks the pointers among them, and queues the kernel. */
  private launch(f: FakeFunction, stream: FakeStream, sizes: readonly number[], args: number): void {
    this.calls.push(`kernel ${f.name}`);
    const parameters = f.image.kernels.get(f.name) ?? [];
    const slots = new BigUint64Array(this.memory.read(args, parameters.length * 8).slice().buffer);
    const ranges: Range[] = [];
    const values = parameters.map(({ bytes, pointer, constant }, i) => {
      const value = this.memory.read(Number(slots[i]), bytes).slice();
      if (pointer) {
        const address = Number(new BigUint64Array(value.buffer)[0]);
        // How far a kernel goes from a pointer is not known: its first byte stands for the tensor.
        if (address !== 0) ranges.push(this.range(address, 1, !constant, `${f.name}, argument ${i}`));
      }
      return value;
    });
    const seed = Math.floor(this.random() * 2 ** 31);
    if (!this.emulate) this.sources.add(f.image.source);
    const launch = new Uint32Array(new ArrayBuffer(128), 0, 7);
    launch.set(sizes);
    this.enqueue(stream, {
      kind: f.name,
      shape: `kernel ${f.name}`,
      ranges,
      run: () => {
        if (!this.emulate) return;
        const place = new Uint8Array(new ArrayBuffer(Math.max(128, 256 * values.length + 128)));
        const base = this.memory.addressOf(place);
        const first = (64 - (base % 64)) % 64;
        const pointers = new BigUint64Array(new ArrayBuffer(Math.max(128, 8 * values.length)));
        values.forEach((value, i) => {
          place.set(value, first + 256 * i);
          pointers[i] = BigInt(base + first + 256 * i);
        });
        const problem = emulatedKernels(f.image.source).get(f.name)?.(
          this.memory.addressOf(pointers),
          launch,
          seed,
        );
        if (problem) throw new Error(`${f.name}: ${problem}`);
        this.memory.checkZones();
      },
    });
  }
}
