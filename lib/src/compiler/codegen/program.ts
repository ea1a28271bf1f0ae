/** A compiled kernel: called with the addresses of its buffers in the shared memory, and its sizes. */
import { bytesPerElement } from "../../core/dtype.js";
import { allocate, release } from "../../runtime/heap.js";
import { type Buffer, buffersOf, LoopError, type LoopKernel } from "../loop/ir.js";
import { elementsFunction, extentOf, type Phase, phasesOf, sizeFunction, workFunction } from "./phases.js";

export interface LoopProgram {
  readonly kernel: LoopKernel;
  readonly target: "wasm" | "c";
  /** What was compiled: the bytes of a module, or C. */
  readonly code: Uint8Array<ArrayBuffer> | string;
  /**
   * Runs it. Byte addresses of the parameters in order, then the sizes in order. Addresses must be multiples of the
   * element's size.
   */
  run(addresses: readonly number[], sizes?: readonly number[]): void;
}

/** What is worth a thread, in scalar operations: some 30 µs. */
const WORTH_A_THREAD = 60_000;

export interface PhasePlan {
  readonly phase: Phase;
  /** Extents of the parallel loops. */
  readonly extents: readonly ((sizes: readonly number[]) => number)[];
  /** Scalar operations. */
  readonly work: (sizes: readonly number[]) => number;
}

/** What running a kernel needs beside its code: phases with their sizes, and temporaries. */
export class Frame {
  readonly phases: readonly PhasePlan[];
  readonly temporaryBuffers: readonly Buffer[];
  readonly temporaries: readonly {
    readonly name: string;
    readonly bytes: (sizes: readonly number[]) => number;
  }[];

  constructor(readonly kernel: LoopKernel) {
    const { sizes } = kernel;
    const half = buffersOf(kernel).find((b) => b.dtype === "float16");
    if (half)
      throw new LoopError(`${kernel.name}: "${half.name}" is float16, which only TypeScript and GPUs have`);
    const { phases, temporaries } = phasesOf(kernel);
    this.temporaryBuffers = temporaries;
    this.temporaries = temporaries.map((b) => {
      const elements = elementsFunction(b, sizes);
      return { name: b.name, bytes: (values) => elements(values) * bytesPerElement(b.dtype) };
    });
    this.phases = phases.map((phase) => ({
      phase,
      extents: phase.loops.map((loop) => sizeFunction(extentOf(loop), sizes)),
      work: workFunction(
        [...phase.loops.slice(0, 1), ...(phase.loops.length === 0 ? phase.body : [])],
        sizes,
      ),
    }));
  }

  /** Names of the arguments in order: parameters, temporaries, sizes. */
  get names(): string[] {
    return [
      ...this.kernel.params.map((b) => b.name),
      ...this.temporaries.map((t) => t.name),
      ...this.kernel.sizes,
    ];
  }

  /** Calls `body` with all arguments; temporaries live during the call. */
  call(
    addresses: readonly number[],
    sizes: readonly number[],
    body: (args: number[], plan: Launches) => void,
  ): void {
    const { kernel } = this;
    if (addresses.length !== kernel.params.length || sizes.length !== kernel.sizes.length) {
      throw new LoopError(
        `${kernel.name} takes ${kernel.params.length} buffers and ${kernel.sizes.length} sizes, not ${addresses.length} and ${sizes.length}`,
      );
    }
    const plan = this.planFor(sizes);
    if (plan.bytes.length === 0) {
      body([...addresses, ...sizes], plan);
      return;
    }
    const pointers = plan.bytes.map(allocate);
    try {
      body([...addresses, ...pointers, ...sizes], plan);
    } finally {
      pointers.forEach((p, i) => {
        release(p, plan.bytes[i]);
      });
    }
  }

  /** What follows from the sizes; kept, since the next call is often one of the same sizes. */
  private planFor(sizes: readonly number[]): Launches {
    const { last } = this;
    if (last?.sizes.every((x, i) => x === sizes[i])) return last;
    const launches = this.phases.map((phase) => itemsOf(phase, sizes));
    const bytes = this.temporaries.map((t) => Math.max(64, t.bytes(sizes)));
    this.last = { sizes: [...sizes], bytes, launches };
    return this.last;
  }

  private last: Launches | null = null;
}

/** Iterations of each phase's parallel loops and the fewest that are worth a thread; bytes of the temporaries. */
export interface Launches {
  readonly sizes: readonly number[];
  readonly bytes: readonly number[];
  readonly launches: readonly { readonly items: number; readonly grain: number }[];
}

function itemsOf({ extents, work }: PhasePlan, sizes: readonly number[]): { items: number; grain: number } {
  if (extents.length === 0) return { items: 1, grain: 1 };
  const items = extents.reduce((n, e) => n * Math.max(0, e(sizes)), 1);
  const grain = Math.max(1, Math.ceil((WORTH_A_THREAD * items) / Math.max(1, work(sizes))));
  return { items, grain: Math.min(grain, 2 ** 31 - 1) };
}
