/**
 * Loop IR as a GPU program: each nest of block loops at the top of a kernel is a launch; the generator finds barriers,
 * keeps each thread's buffers to itself, and asks in threads beyond a loop's end.
 */
import { bytesPerElement } from "../../../core/dtype.js";
import { affine } from "../../loop/affine.js";
import { GRID_AXES } from "../../loop/grid.js";
import {
  type Buffer,
  type For,
  LoopError,
  type LoopKernel,
  type LoopType,
  type Stmt,
} from "../../loop/ir.js";
import { elementsFunction, phasesOf, sizeFunction } from "../phases.js";
import { planVectors } from "../vectors.js";
import { Walker } from "../walker.js";
import { type Barrier, barriersOf, isPiece } from "./barriers.js";
import { cuda } from "./cuda.js";
import { type Dialect, FOLD } from "./dialect.js";
import { elementsOf, expanded, placed } from "./private.js";
import { type Accesses, accessesIn, type Multiples } from "./storage.js";
import type { GpuTarget } from "./target.js";
import { threadCount, threadNest, threadsIn } from "./threads.js";
import { wgsl } from "./wgsl.js";

/** The languages that GPU code is generated in. */
const DIALECTS = { wgsl, cuda } as const satisfies Record<string, Dialect>;
export type GpuDialect = keyof typeof DIALECTS;
export const GPU_DIALECTS = Object.keys(DIALECTS) as readonly GpuDialect[];

export interface GpuOptions {
  /** What the device offers; without it, nothing is checked. */
  readonly limits?: { readonly threads: number; readonly workgroupBytes: number };
  /** Sizes that are multiples of a number whenever the program runs: rows that vectors may be read from. */
  readonly multiples?: Readonly<Record<string, number>>;
}

/** One function of a program, launched once each time it runs. */
export interface GpuLaunch {
  /** Its name in the source. */
  readonly entry: string;
  /** Threads of a block, along x. */
  readonly threads: number;
  /** Bytes of workgroup memory that the source declares. */
  readonly workgroupBytes: number;
  /** Numbers of the buffers that it uses: their places in `buffers`, and WGSL's bindings. */
  readonly uses: readonly number[];
  /** It reads the sizes (WGSL: the uniform's binding is one of its layout). */
  readonly usesSizes: boolean;
  /** Barriers in its text. */
  readonly barriers: number;
  /**
   * Blocks along x, y and z for the kernel's sizes, in order; a 0 among them: nothing to do.
   * @throws LoopError if an axis is longer than grids are.
   */
  blocks(sizes: readonly number[]): readonly [x: number, y: number, z: number];
}

export interface GpuProgram {
  readonly kernel: LoopKernel;
  readonly dialect: GpuDialect;
  /** The text of the module with all functions. */
  readonly source: string;
  /** To be run one after the other. */
  readonly launches: readonly GpuLaunch[];
  /**
   * Arguments of every function in order: the kernel's parameters, then temporaries in global memory that live from one
   * launch to another. Their memory begins at a multiple of 16 bytes, and is long enough for whole ones. Behind them:
   * the sizes, as one uniform of int32 (WGSL, the next binding, if there are sizes) or int arguments (CUDA).
   */
  readonly buffers: readonly {
    readonly name: string;
    readonly dtype: LoopType;
    readonly written: boolean;
    readonly temporary: boolean;
    /** Bytes for the kernel's sizes. */
    bytes(sizes: readonly number[]): number;
  }[];
  /** What `blocks` and the text take for granted of the sizes. */
  readonly multiples: Readonly<Record<string, number>>;
}

/** The most blocks along y and z, and along x in WGSL. */
const GRID = 65535;

/**
 * The kernel as WGSL or CUDA C++.
 * @throws LoopError for what the language has not (float64 in WGSL), or what the device's limits do not allow.
 * @example
 * const s = new schedule.Schedule(loop.elementwise("twice", [64], [[64]], ([x]) => loop.op("add", x, x)));
 * s.split("i0", 32, ["b", "t"]);
 * codegen.gpuProgram(s.bind("block", "b").bind("thread", "t").kernel, "wgsl").launches[0].threads // 32
 */
export function gpuProgram(kernel: LoopKernel, dialect: GpuDialect, options: GpuOptions = {}): GpuProgram {
  const language: Dialect = DIALECTS[dialect];
  const multiples: Multiples = new Map(Object.entries(options.multiples ?? {}));
  const { phases, temporaries } = phasesOf(kernel);
  const all = [...kernel.params, ...temporaries];
  const accesses = new Map<string, Accesses>();
  const probe = language.target(kernel.name, accesses, multiples, kernel.sizes);
  const pieces = phases.map(({ loops, body }) => {
    const blocks = loops.slice(0, GRID_AXES);
    const inside = loops
      .slice(GRID_AXES)
      .reduceRight<readonly Stmt[]>((b, loop) => [{ ...loop, loop: "serial", body: b }], body);
    const split = placed(expanded(inside));
    const { lanes } = planVectors({ ...kernel, body: split.body }, probe);
    accessesIn(split.body, lanes, multiples, accesses);
    return { blocks, ...split };
  });
  const launches = pieces.map((piece, i) =>
    launchOf(kernel, language, piece, `${kernel.name}_${i}`, accesses, multiples, all),
  );
  const buffers = all.map((buffer) => ({
    buffer,
    accesses: accesses.get(buffer.name) ?? { vectors: false, singleWrites: false, written: false },
  }));
  for (const { launch } of launches) checkLimits(kernel, launch, options.limits);
  return {
    kernel,
    dialect,
    source: language.module(
      buffers,
      kernel.sizes,
      launches.map(({ launch, target }) => ({ name: launch.entry, threads: launch.threads, target })),
    ),
    launches: launches.map(({ launch }) => launch),
    buffers: buffers.map(({ buffer, accesses: { written } }) => {
      const elements = elementsFunction(buffer, kernel.sizes);
      return {
        name: buffer.name,
        dtype: buffer.dtype,
        written,
        temporary: buffer.scope === "shared",
        bytes: (sizes) => elements(sizes) * bytesPerElement(buffer.dtype),
      };
    }),
    multiples: options.multiples ?? {},
  };
}

function checkLimits(kernel: LoopKernel, launch: GpuLaunch, limits: GpuOptions["limits"]): void {
  if (!limits) return;
  if (launch.threads > limits.threads)
    throw new LoopError(
      `${kernel.name}: ${launch.threads} threads a block; the device has ${limits.threads}`,
    );
  if (launch.workgroupBytes > limits.workgroupBytes)
    throw new LoopError(
      `${kernel.name}: ${launch.workgroupBytes} bytes of workgroup memory; a block has ${limits.workgroupBytes}`,
    );
}

interface Piece {
  readonly blocks: readonly For[];
  readonly body: readonly Stmt[];
  readonly own: ReadonlySet<string>;
}

function launchOf(
  kernel: LoopKernel,
  language: Dialect,
  { blocks, body, own }: Piece,
  entry: string,
  accesses: ReadonlyMap<string, Accesses>,
  multiples: Multiples,
  buffers: readonly Buffer[],
): { launch: GpuLaunch; target: GpuTarget } {
  const target = language.target(kernel.name, accesses, multiples, kernel.sizes);
  const writer = new BlockWriter(
    { ...kernel, body },
    language,
    target,
    barriersOf(kernel, blocks, body, own),
    threadsIn(body),
  );
  const used = new Map<string, Accesses>();
  accessesIn(body, new Map(), multiples, used);
  writer.write(blocks, body);
  const extents = blocks.map((b) => sizeFunction(b.to.minus(b.from), kernel.sizes));
  const launch: GpuLaunch = {
    entry,
    threads: writer.threads,
    workgroupBytes: [...target.workgroup.values()].reduce(
      (n, b) => n + elementsOf(b) * language.bytes(b.dtype),
      0,
    ),
    uses: buffers.flatMap((b, i) => (used.has(b.name) ? [i] : [])),
    usesSizes: writer.usesSizes,
    barriers: writer.barriers,
    blocks: (sizes) => {
      const counts = extents.map((extent) => Math.max(0, extent(sizes)));
      if (counts.length === 1 && counts[0] > FOLD && language.foldedBlock !== language.block(0))
        return [FOLD, Math.ceil(counts[0] / FOLD), 1];
      const [x = 1, y = 1, z = 1] = [...counts].reverse();
      const long = [language.name === "wgsl" ? x : 0, y, z].find((count) => count > GRID);
      if (long !== undefined)
        throw new LoopError(`${kernel.name}: ${long} blocks along an axis; grids have at most ${GRID}`);
      return [x, y, z];
    },
  };
  return { launch, target };
}

/** Writes the body of a block: loops all its threads run, pieces that they share, and barriers between. */
class BlockWriter {
  private readonly walker: Walker<string>;
  barriers = 0;
  usesSizes = false;

  constructor(
    private readonly kernel: LoopKernel,
    private readonly language: Dialect,
    private readonly target: GpuTarget,
    private readonly before: ReadonlyMap<Stmt, Barrier>,
    readonly threads: number,
  ) {
    this.walker = new Walker(kernel, target);
  }

  write(blocks: readonly For[], body: readonly Stmt[]): void {
    const { target, language } = this;
    const define = (name: string, value: string): void =>
      target.line(target.definition(target.name(name), target.type("int32", 1), value));
    blocks.forEach((loop, i) => {
      const axis = blocks.length - 1 - i;
      const number = blocks.length === 1 ? language.foldedBlock : language.block(axis);
      const start = target.integer(loop.from);
      define(loop.variable, start === "0" ? number : `${start} + ${number}`);
      target.range(loop.variable, loop.from, loop.to);
    });
    if (blocks.length === 1 && language.foldedBlock !== language.block(0)) {
      const [{ variable, to }] = blocks;
      target.line(`if (${target.name(variable)} >= ${target.integer(to)}) { return; }`);
    }
    this.statements(body);
    target.dropUnused();
    const written = target.lines.join("\n");
    const used = this.kernel.sizes.filter((size) => new RegExp(`\\b${target.name(size)}\\b`).test(written));
    this.usesSizes = used.length > 0;
    if (language.name === "wgsl")
      target.lines.unshift(
        ...used.map((size) => `  let ${target.name(size)} = sizes_.${target.name(size)};`),
      );
  }

  private statements(body: readonly Stmt[]): void {
    let alone: Stmt[] = [];
    const flush = (): void => {
      const statements = alone;
      alone = [];
      if (statements.length > 0) this.alone(statements);
    };
    for (const s of body) {
      if (s.kind === "let")
        throw new LoopError(`${this.kernel.name}: "${s.name}" is named outside the thread loops of a block`);
      if (s.kind === "alloc") {
        this.walker.block([s]);
        continue;
      }
      const barrier = this.before.get(s);
      if (barrier) {
        flush();
        this.target.line(this.language.barrier(barrier));
        this.barriers++;
      }
      if (s.kind === "for" && s.loop === "thread") {
        flush();
        this.nest(s);
      } else if (isPiece(s)) alone.push(s);
      else {
        flush();
        if (s.kind === "for") this.target.loop(s.variable, s.from, s.to, () => this.statements(s.body));
        else if (s.kind === "if") this.target.if(s.conditions, () => this.statements(s.body));
      }
    }
    flush();
  }

  /** What one thread does while the others wait. */
  private alone(body: readonly Stmt[]): void {
    const { target, language } = this;
    target.line(this.threads > 1 ? `if (${language.thread} == 0) {` : "{");
    target.nested(() => this.walker.piece(body));
    target.line("}");
  }

  private nest(s: For): void {
    const { target, language, threads } = this;
    const nest = threadNest(s);
    const count = threadCount(nest);
    target.line(count < threads ? `if (${language.thread} < ${count}) {` : "{");
    target.nested(() => {
      let inner = count;
      nest.loops.forEach((loop, i) => {
        const own = nest.counts[i];
        inner /= own;
        const quotient = inner === 1 ? language.thread : target.quotient(language.thread, inner);
        const number = i === 0 ? quotient : remainder(quotient, own);
        target.line(
          target.definition(target.name(loop.variable), target.type("int32", 1), own === 1 ? "0" : number),
        );
        target.range(loop.variable, affine(0), affine(own));
      });
      const open = nest.loops
        .filter((loop, i) => !(loop.to.isConstant && loop.to.constant >= nest.counts[i]))
        .map((loop) => ({ left: affine(loop.variable), right: loop.to }));
      if (open.length === 0) this.walker.piece(nest.body);
      else target.if(open, () => this.walker.piece(nest.body));
    });
    target.line("}");
  }
}

function remainder(x: string, by: number): string {
  return Number.isInteger(Math.log2(by)) ? `(${x} & ${by - 1})` : `(${x} % ${by})`;
}
