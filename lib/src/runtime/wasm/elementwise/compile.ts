/**
 * compileElementwise: from a program to a kernel. Code is made when a combination of layouts is first met, and kept by
 * the program's signature, so that two programs that differ in constants only share it.
 */
import { bytesPerElement } from "../../../core/dtype.js";
import { collapse, type Walk } from "../../../core/layout.js";
import { sizeOf } from "../../../core/shape.js";
import { getDevice } from "../../devices.js";
import { allocate, memory, release } from "../../heap.js";
import type { HostArray } from "../../host-array.js";
import type { Kernel, PreparedKernel } from "../../kernels.js";
import { launch, type PoolKernel } from "../../pool/pool.js";
import { wasmFeatures } from "../features.js";
import { compileKernels } from "../module.js";
import { elementwiseModule, type Pattern, pieceWords, tableWords } from "./codegen.js";
import { constantsOf, type ElementwiseProgram, signatureOf, valueTypes } from "./program.js";
import { RULES } from "./rules.js";

/** A compiled program: runs on inputs that broadcast to the shape of its (contiguous) outputs. */
export interface CompiledElementwise {
  readonly program: ElementwiseProgram;
  /** `constants` replaces the program's own, in the order of `constantsOf`. */
  run(inputs: readonly HostArray[], outputs: readonly HostArray[], constants?: readonly number[]): void;
  /** See `DeviceKernel.prepare`. */
  prepare(
    inputs: readonly HostArray[],
    outputs: readonly HostArray[],
    constants?: readonly number[],
  ): PreparedKernel;
  /**
   * One call for several sets of operands, each of shapes of its own: all in one job of the pool. `null` unless in every
   * set each input has as many elements as the outputs, side by side, or one.
   */
  prepareMany(sets: readonly OperandSet[]): PreparedKernel | null;
}

/** Operands of one application of a program. */
export interface OperandSet {
  readonly inputs: readonly HostArray[];
  readonly outputs: readonly HostArray[];
}

/** A device's own code for a program, for a walk of the output, then of each input. @param addresses of the outputs' first elements, then of the inputs' */
export interface OwnElementwise {
  /** False: it is not there (yet), and nothing was done. */
  run(addresses: readonly number[], constants: readonly number[]): boolean;
}

const own = new Map<string, (program: ElementwiseProgram, walk: Walk) => OwnElementwise | null>();

/** On this device programs over many elements run by code of its own, where it has some. */
export function registerElementwise(
  device: string,
  make: (program: ElementwiseProgram, walk: Walk) => OwnElementwise | null,
): void {
  own.set(device, make);
}

/** Elements that are worth a call out of the engine. */
const WORTH_OWN_CODE = 8192;
const WORTH_A_THREAD_NS = 50_000;
const cache = new Map<string, Variants>();

/** True if `compileElementwise` takes the program. */
export { canCompile } from "./program.js";

/**
 * The kernel of a program of elementwise ops.
 * @throws ValueError naming the op if one has no vector formula for its dtype.
 */
export function compileElementwise(program: ElementwiseProgram): CompiledElementwise {
  const variants = variantsOf(program);
  const given = constantsOf(program);
  return {
    program,
    run: (inputs, outputs, constants = given) => variants.run(inputs, outputs, constants),
    prepare: (inputs, outputs, constants = given) => variants.prepare(inputs, outputs, constants),
    prepareMany: (sets) => variants.prepareMany(sets, given),
  };
}

/** The same as a device kernel. */
export function elementwiseKernel(program: ElementwiseProgram): Kernel<unknown> {
  const { run } = compileElementwise(program);
  return (inputs, outputs) => run(inputs, outputs);
}

function variantsOf(program: ElementwiseProgram): Variants {
  const signature = signatureOf(program);
  let variants = cache.get(signature);
  if (!variants) {
    valueTypes(program);
    variants = new Variants(program);
    cache.set(signature, variants);
  }
  return variants;
}

type Kernels = Record<"flat" | "rows", PoolKernel> & { readonly pieces?: PoolKernel };

/** The layouts of one program that were met so far. */
class Variants {
  private readonly kernels = new Map<string, Kernels>();
  /** Elements that are worth a thread. */
  private readonly grain: number;

  constructor(private readonly program: ElementwiseProgram) {
    const rounds = program.nodes.reduce((sum, node) => sum + (RULES[node.op]?.cost ?? 0.2), 0);
    const cost = 0.3 * (program.inputs.length + program.outputs.length) + rounds;
    this.grain = Math.ceil(WORTH_A_THREAD_NS / cost);
  }

  run(inputs: readonly HostArray[], outputs: readonly HostArray[], constants: readonly number[]): void {
    const size = sizeOf(outputs[0].shape);
    const flat = size === 0 || hasOwnElementwise(size) ? null : flatPatterns(inputs, outputs[0], size);
    if (flat) {
      const args: number[] = [];
      for (const x of outputs) args.push(x.ptr + x.offset * bytesPerElement(x.dtype));
      for (const x of inputs) args.push(x.ptr + x.offset * bytesPerElement(x.dtype));
      args.push(...constants);
      launch(this.kernelsFor(flat, 0).flat, args, size, this.grain, 16);
      return;
    }
    const { workspace = 0, run } = this.prepare(inputs, outputs, constants);
    if (workspace === 0) {
      run(0);
      return;
    }
    const table = allocate(workspace);
    try {
      run(table);
    } finally {
      release(table, workspace);
    }
  }

  prepare(
    inputs: readonly HostArray[],
    outputs: readonly HostArray[],
    constants: readonly number[],
  ): PreparedKernel {
    const spare = this.prepareSpare(inputs, outputs, constants);
    const size = sizeOf(outputs[0].shape);
    const code = hasOwnElementwise(size)
      ? own.get(getDevice())?.(this.program, collapse(outputs[0].shape, [outputs[0], ...inputs]))
      : null;
    if (!code) return spare;
    const arrays = [...outputs, ...inputs];
    const starts = arrays.map((x) => x.offset * bytesPerElement(x.dtype));
    const run = (at: number): void => {
      const addresses = arrays.map((x, i) => x.ptr + starts[i]);
      if (!code.run(addresses, constants)) spare.run(at);
    };
    return { workspace: spare.workspace, run };
  }

  private prepareSpare(
    inputs: readonly HostArray[],
    outputs: readonly HostArray[],
    constants: readonly number[],
  ): PreparedKernel {
    const size = sizeOf(outputs[0].shape);
    if (size === 0) return { run: () => {} };
    const { grain } = this;
    const arrays = [...outputs, ...inputs];
    const bytes = arrays.map((x) => bytesPerElement(x.dtype));
    const starts = arrays.map((x, i) => x.offset * bytes[i]);
    /** One loop over all elements, with the operands' addresses in front of the rest. */
    const one = (kernel: PoolKernel, items: number, rest: readonly number[]): PreparedKernel => {
      const args = [...starts, ...rest];
      const run = (): void => {
        for (let i = 0; i < arrays.length; i++) args[i] = arrays[i].ptr + starts[i];
        launch(kernel, args, items, grain, 16);
      };
      return { run };
    };
    const flat = flatPatterns(inputs, outputs[0], size);
    if (flat) return one(this.kernelsFor(flat, 0).flat, size, constants);
    const loops = collapse(outputs[0].shape, [outputs[0], ...inputs]);
    const inner = loops.sizes.pop()!;
    const steps = loops.strides.map((s) => s.pop()!);
    const rank = loops.sizes.length;
    const patterns = inputs.map((_, i): Pattern => {
      const step = steps[i + 1];
      return step === 0 ? "same" : step === 1 ? "unit" : "strided";
    });
    const stridedSteps = inputs.flatMap((_, i) =>
      patterns[i] === "strided" ? [steps[i + 1] * bytes[outputs.length + i]] : [],
    );
    const kernels = this.kernelsFor(patterns, rank);
    if (rank === 0) return one(kernels.flat, inner, [...stridedSteps, ...constants]);
    const words = tableWords(arrays.length, stridedSteps.length, rank);
    const table = [inner, ...loops.sizes];
    const places: number[] = [];
    for (let o = 0; o < arrays.length; o++) {
      places.push(table.length);
      const strides = loops.strides[Math.max(0, o - outputs.length + 1)];
      table.push(0, ...strides.map((stride) => stride * bytes[o]));
    }
    table.push(...stridedSteps);
    const [rows, rowGrain] = [size / inner, Math.max(1, Math.ceil(grain / inner))];
    const run = (at: number): void => {
      for (let o = 0; o < arrays.length; o++) table[places[o]] = arrays[o].ptr + starts[o];
      new Int32Array(memory.buffer, at, words).set(table);
      if (constants.length > 0)
        new Float64Array(memory.buffer, at + words * 4, constants.length).set(constants);
      launch(kernels.rows, [at], rows, rowGrain);
    };
    return { workspace: words * 4 + constants.length * 8, run };
  }

  prepareMany(sets: readonly OperandSet[], constants: readonly number[]): PreparedKernel | null {
    const large = sets.filter(({ outputs }) => hasOwnElementwise(sizeOf(outputs[0].shape)));
    const together = this.prepareTogether(sets, constants);
    if (large.length === 0 || !together) return together;
    const small = sets.filter((set) => !large.includes(set));
    const rest = small.length > 0 ? this.prepareTogether(small, constants) : null;
    if (small.length > 0 && !rest) return together;
    const parts = large.map(({ inputs, outputs }) => this.prepare(inputs, outputs, constants));
    const run = (at: number): void => {
      for (const part of parts) part.run(at);
      rest?.run(at);
    };
    return { workspace: Math.max(rest?.workspace ?? 0, ...parts.map((p) => p.workspace ?? 0)), run };
  }

  private prepareTogether(sets: readonly OperandSet[], constants: readonly number[]): PreparedKernel | null {
    const sizes = sets.map(({ outputs }) => sizeOf(outputs[0].shape));
    const patterns = sets.map(({ inputs, outputs }, k) => flatPatterns(inputs, outputs[0], sizes[k]));
    const [first] = patterns;
    if (!first || sizes.some((size) => size < 2)) return null;
    if (patterns.some((p) => p === null || p.some((pattern, i) => pattern !== first[i]))) return null;
    const bytes = [...sets[0].outputs, ...sets[0].inputs].map((x) => bytesPerElement(x.dtype));
    const steps = bytes.map((width, o) => (first[o - sets[0].outputs.length] === "same" ? 0 : width));
    const words = pieceWords(bytes.length);
    const grain = Math.ceil(this.grain / 16) * 16;
    /** Set, first element and length of each piece. */
    const pieces = sizes.flatMap((size, k) =>
      Array.from(
        { length: Math.ceil(size / grain) },
        (_, i) => [k, i * grain, Math.min(grain, size - i * grain)] as const,
      ),
    );
    const arrays = sets.map(({ inputs, outputs }) => [...outputs, ...inputs]);
    const table = new Int32Array(pieces.length * words);
    const numbersAt = Math.ceil((table.length * 4) / 8) * 8;
    const { pieces: kernel } = this.kernelsFor(first, 0) as Record<"pieces", PoolKernel>;
    const run = (at: number): void => {
      let w = 0;
      for (const [k, start, count] of pieces) {
        table[w++] = count;
        const mine = arrays[k];
        for (let o = 0; o < mine.length; o++)
          table[w++] = mine[o].ptr + mine[o].offset * bytes[o] + start * steps[o];
      }
      new Int32Array(memory.buffer, at, table.length).set(table);
      if (constants.length > 0)
        new Float64Array(memory.buffer, at + numbersAt, constants.length).set(constants);
      launch(kernel, [at, at + numbersAt], pieces.length, 1);
    };
    return { workspace: numbersAt + constants.length * 8, run };
  }

  private kernelsFor(patterns: readonly Pattern[], rank: number): Kernels {
    const key = `${patterns.join()}/${rank}`;
    let kernels = this.kernels.get(key);
    if (!kernels) {
      const module = elementwiseModule(this.program, patterns, rank, wasmFeatures().relaxed);
      const many = rank === 0 && !patterns.includes("strided");
      kernels = many
        ? compileKernels(module, ["flat", "rows", "pieces"])
        : compileKernels(module, ["flat", "rows"]);
      this.kernels.set(key, kernels);
    }
    return kernels;
  }
}

/** True if this device has code of its own for programs over so many elements. */
export const hasOwnElementwise = (size: number): boolean => size >= WORTH_OWN_CODE && own.has(getDevice());

/** Patterns if every input is contiguous with the output's size or has one element; else `null`. */
function flatPatterns(inputs: readonly HostArray[], out: HostArray, size: number): Pattern[] | null {
  const patterns: Pattern[] = [];
  for (const input of inputs) {
    const count = sizeOf(input.shape);
    if (count === 1) patterns.push("same");
    else if (count === size && isRowMajor(input) && input.shape.length <= out.shape.length)
      patterns.push("unit");
    else return null;
  }
  return patterns;
}

function isRowMajor({ shape, strides }: HostArray): boolean {
  let step = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    if (shape[i] !== 1 && strides[i] !== step) return false;
    step *= shape[i];
  }
  return true;
}
