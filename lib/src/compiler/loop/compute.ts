/**
 * Tensor expressions: what a kernel computes, stage by stage, without a word on how. Each stage becomes a plain loop nest
 * (accumulations: a nest that sets the identity, and one that accumulates). (Book, chapter 5: compute and schedule apart.)
 */
import { type Affine, affine, type Index } from "./affine.js";
import type { Buffer, Condition, Expr, LoopKernel, LoopType, Reduction, Stmt } from "./ir.js";
import type { ScalarOp } from "./operators.js";

/** A number of a type. @example lit(1.5).kind // "constant" */
export function lit(value: number, dtype: LoopType = "float32"): Expr {
  return { kind: "constant", dtype, value };
}

/** An operator applied to values. @example op("exp", lit(0)).kind // "op" */
export function op(name: ScalarOp, ...args: Expr[]): Expr {
  return { kind: "op", op: name, args };
}

/** A value converted. @example cast("int32", lit(1, "int8")).kind // "cast" */
export function cast(dtype: LoopType, of: Expr): Expr {
  return { kind: "cast", dtype, of };
}

/** `yes` where each of `conditions` (left < right) holds, else `no`. @example when([["i", 4]], lit(1), lit(0)).kind // "when" */
export function when(conditions: readonly (readonly [Index, Index])[], yes: Expr, no: Expr): Expr {
  const list = conditions.map(([left, right]): Condition => ({ left: affine(left), right: affine(right) }));
  return { kind: "when", conditions: list, yes, no };
}

/** A buffer of a definition: its elements are read by `at`. */
export class TensorRef {
  constructor(readonly buffer: Buffer) {}

  at(...indices: Index[]): Expr {
    return { kind: "load", buffer: this.buffer, indices: indices.map(affine) };
  }
}

export type Axes = Readonly<Record<string, Index>>;

/**
 * A kernel in the making.
 * @example
 * const d = new Definition("double", ["N"]);
 * const x = d.input("X", "float32", ["N"]);
 * const y = d.output("Y", "float32", ["N"]);
 * d.compute(y, { i: "N" }, ({ i }) => [[i], op("mul", x.at(i), lit(2))]);
 * d.kernel().params.length // 2
 */
export class Definition {
  private readonly params: Buffer[] = [];
  private readonly body: Stmt[] = [];

  constructor(
    readonly name: string,
    readonly sizes: readonly string[] = [],
  ) {}

  /** `strides`: elements from one index to the next, per axis; without them row-major. */
  input(name: string, dtype: LoopType, shape: readonly Index[], strides?: readonly Index[]): TensorRef {
    return this.param(name, dtype, shape, strides, false);
  }

  output(name: string, dtype: LoopType, shape: readonly Index[], strides?: readonly Index[]): TensorRef {
    return this.param(name, dtype, shape, strides, true);
  }

  /** A temporary between stages. */
  temp(name: string, dtype: LoopType, shape: readonly Index[]): TensorRef {
    const buffer: Buffer = {
      name,
      dtype,
      shape: shape.map(affine),
      strides: null,
      scope: "shared",
      output: false,
    };
    this.body.push({ kind: "alloc", buffer });
    return new TensorRef(buffer);
  }

  /** A stage that sets elements: `make` gives the indices and the value from the loop variables. */
  compute<A extends Axes>(
    target: TensorRef,
    axes: A,
    make: (v: Record<keyof A, Affine>) => readonly [readonly Index[], Expr],
  ): void {
    const [indices, value] = make(variables(axes));
    this.body.push(
      ...nestOf(axes, { kind: "store", buffer: target.buffer, indices: indices.map(affine), value }),
    );
  }

  /**
   * A stage that accumulates over `over`. The nest that sets `initial` has the loops `axis_0`; `null`: an earlier stage set it.
   */
  reduce<A extends Axes, R extends Axes>(
    target: TensorRef,
    axes: A,
    over: R,
    reduction: Reduction,
    initial: Expr | null,
    make: (v: Record<keyof A | keyof R, Affine>) => readonly [readonly Index[], Expr],
  ): void {
    const all = { ...axes, ...over };
    const [indices, value] = make(variables(all) as Record<keyof A | keyof R, Affine>);
    const renamed = Object.fromEntries(Object.entries(axes).map(([name, extent]) => [`${name}_0`, extent]));
    const values = new Map(Object.keys(axes).map((name) => [name, affine(`${name}_0`)]));
    const at = indices.map(affine);
    if (initial)
      this.body.push(
        ...nestOf(renamed, {
          kind: "store",
          buffer: target.buffer,
          indices: at.map((i) => i.substitute(values)),
          value: initial,
        }),
      );
    this.body.push(
      ...nestOf(all, { kind: "reduce", op: reduction, buffer: target.buffer, indices: at, value }),
    );
  }

  kernel(): LoopKernel {
    return { name: this.name, sizes: this.sizes, params: this.params, body: this.body };
  }

  private param(
    name: string,
    dtype: LoopType,
    shape: readonly Index[],
    strides: readonly Index[] | undefined,
    output: boolean,
  ): TensorRef {
    const buffer: Buffer = {
      name,
      dtype,
      shape: shape.map(affine),
      strides: strides ? strides.map(affine) : null,
      scope: "param",
      output,
    };
    this.params.push(buffer);
    return new TensorRef(buffer);
  }
}

function variables<A extends Axes>(axes: A): Record<keyof A, Affine> {
  return Object.fromEntries(Object.keys(axes).map((name) => [name, affine(name)])) as Record<keyof A, Affine>;
}

function nestOf(axes: Axes, inside: Stmt): Stmt[] {
  return [
    Object.entries(axes).reduceRight<Stmt>(
      (body, [variable, extent]) => ({
        kind: "for",
        variable,
        from: affine(0),
        to: affine(extent),
        loop: "serial",
        body: [body],
      }),
      inside,
    ),
  ];
}
