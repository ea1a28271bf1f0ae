/** Reverse mode as a transformation: vjp, and grad and valueAndGrad from it. */
import { TransformError } from "../core/errors.js";
import { formatType } from "../core/shape.js";
import type { Tensor } from "../core/tensor.js";
import { flatten, paths, type TreeDef, leaves as treeLeaves, unflatten } from "../core/tree.js";
import { bind, type Trace, withLevel } from "../ops/bind.js";
import { asTensor } from "../ops/convert.js";
import { type Attrs, NOT_DIFFERENTIABLE, type OpDef } from "../ops/registry.js";
import { carriesGradient, leafNode, record, type TapeEdge, type TapeNode, walkBack } from "./tape.js";
import { callSync, Tracer } from "./trace.js";
import { Variable } from "./variable.js";

class VjpTracer extends Tracer {
  constructor(
    readonly trace: VjpTrace,
    readonly primal: Tensor,
    readonly edge: TapeEdge,
  ) {
    super();
  }
}

class VjpTrace implements Trace {
  readonly name = "grad";
  active = true;

  constructor(readonly level: number) {}

  process(op: OpDef, inputs: readonly Tensor[], attrs: Attrs): Tensor[] {
    const edges: (TapeEdge | null)[] = [];
    const primals: Tensor[] = [];
    for (const x of inputs) {
      const mine = x instanceof VjpTracer && x.trace === this;
      edges.push(mine ? x.edge : null);
      primals.push(mine ? x.primal : x);
    }
    const outputs = bind(op, primals, attrs);
    if (op.vjp === NOT_DIFFERENTIABLE || !outputs.some(carriesGradient)) return outputs;
    const node = record(op, attrs, edges, primals, outputs);
    return outputs.map((y, output) => (carriesGradient(y) ? new VjpTracer(this, y, { node, output }) : y));
  }
}

/** A result with the function that carries gradients back through it. */
export interface Pullback<T> {
  readonly value: T;
  /** Gradients of the arguments from a tree like `value`. May be called again. */
  readonly pull: (cotangent: T) => unknown[];
  /** Gives back what the pullback saved. */
  readonly release: () => void;
}

interface Traced {
  /** Leaves of the function's result, free of this trace. */
  readonly outputs: Tensor[];
  readonly edges: (TapeEdge | null)[];
  readonly def: TreeDef;
  readonly leaves: (TapeNode | null)[];
}

/** The plain value of a leaf that is an argument: a variable's tensor at this moment. */
const argumentValue = (x: Tensor): Tensor => (x instanceof Variable ? x.value : x);

/** Runs `f` with tracers for those leaves of `args` that `wanted` names. */
function traceReverse(
  f: (...args: never[]) => unknown,
  args: readonly unknown[],
  wanted: (argument: number, leaf: Tensor) => boolean,
  where: string,
): Traced {
  return withLevel((level) => {
    const trace = new VjpTrace(level);
    const nodes: (TapeNode | null)[] = [];
    const traced = args.map((arg, i) => {
      const flat = flatten(arg);
      const inputs = flat.leaves.map((leaf) => {
        const value = argumentValue(leaf);
        if (!wanted(i, leaf)) return value;
        const node = carriesGradient(value) ? leafNode(value) : null;
        nodes.push(node);
        return node ? new VjpTracer(trace, value, { node, output: 0 }) : value;
      });
      return unflatten(flat.def, inputs);
    });
    try {
      const result = flatten(callSync(f, traced, where));
      const edges = result.leaves.map((y) => (y instanceof VjpTracer && y.trace === trace ? y.edge : null));
      const outputs = result.leaves.map((y) => (y instanceof VjpTracer && y.trace === trace ? y.primal : y));
      return { outputs, edges, def: result.def, leaves: nodes };
    } finally {
      trace.active = false;
    }
  });
}

/** Gradients at the leaves, by walking back from the outputs. */
function pullBack(
  traced: Traced,
  cotangents: readonly (Tensor | null)[],
  free: boolean,
): Map<TapeNode, Tensor> {
  const gradients = new Map<TapeNode, Tensor>();
  const live = traced.edges
    .map((edge, i) => ({ edge, g: cotangents[i] }))
    .filter(({ edge }) => edge !== null);
  walkBack(
    live.map(({ edge }) => edge as TapeEdge),
    live.map(({ g }) => g),
    (node, g) => gradients.set(node, g),
    { free },
  );
  return gradients;
}

function zeros(x: Tensor): Tensor {
  return asTensor(0, x.dtype).cast(x.dtype).broadcastTo(x.shape);
}

/**
 * Runs `f` once and returns its value with the pullback: the product of a row vector with the Jacobian.
 * @example const { value, pull } = vjp((x) => x.sin(), x); const [dx] = pull(ones(x.shape));
 */
export function vjp<A extends unknown[], T>(f: (...args: A) => T, ...args: A): Pullback<T> {
  const traced = traceReverse(f as never, args, () => true, "vjp");
  const argumentLeaves = args.map((arg) => flatten(arg));
  return {
    value: unflatten(traced.def, traced.outputs) as T,
    pull: (cotangent) => {
      const given = treeLeaves(cotangent);
      if (given.length !== traced.outputs.length) {
        throw new TransformError(
          `vjp: the function returned ${traced.outputs.length} tensor(s), the cotangent has ${given.length}`,
        );
      }
      const gradients = pullBack(traced, given, false);
      let next = 0;
      return argumentLeaves.map(({ leaves, def }) =>
        unflatten(
          def,
          leaves.map((leaf) => {
            const node = traced.leaves[next++];
            return (node && gradients.get(node)) ?? zeros(argumentValue(leaf));
          }),
        ),
      );
    },
    release: () =>
      walkBack(
        traced.edges.filter((e) => e !== null),
        traced.edges.map(() => null),
        () => {},
        { free: true },
      ),
  };
}

export interface GradOptions {
  /** Which arguments to differentiate with respect to; default the first. Several give a list of gradients. */
  readonly argnums?: number | readonly number[];
  /** The function returns `[loss, aux]`; aux is passed through. */
  readonly hasAux?: boolean;
}

/** The result of `valueAndGrad`: the loss (or `[loss, aux]`) and gradients shaped like the argument(s). */
export type ValueAndGrad<A extends unknown[], T> = (...args: A) => [value: T, gradient: A[0]];

/**
 * A function that returns the value of `f` and its gradient with respect to its first argument (see `argnums`): a
 * tree of the same structure. Of modules, trainable variables are differentiated.
 * @example const [loss, grads] = valueAndGrad((model, x, y) => mse(model.forward(x), y))(model, x, y);
 * @throws TransformError if the result is not a scalar of floating point.
 */
export function valueAndGrad<A extends unknown[], T>(
  f: (...args: A) => T,
  options: GradOptions = {},
): ValueAndGrad<A, T> {
  const { argnums = 0, hasAux = false } = options;
  const wantedArguments = typeof argnums === "number" ? [argnums] : argnums;
  return (...args) => {
    for (const n of wantedArguments) checkArgument(args, n);
    const wanted = (i: number, leaf: Tensor) =>
      wantedArguments.includes(i) && !(leaf instanceof Variable && !leaf.requiresGrad);
    const traced = traceReverse(f as never, args, wanted, "grad");
    const value = unflatten(traced.def, traced.outputs) as T;
    const loss = hasAux ? treeLeaves((value as unknown[])[0])[0] : traced.outputs[0];
    if (!loss || (!hasAux && traced.outputs.length !== 1) || loss.size !== 1 || !carriesGradient(loss)) {
      const got = traced.outputs.map(formatType).join(", ") || "no tensor";
      throw new TransformError(
        `grad: the function must return one floating-point scalar (the loss), got ${got}; reduce it with sum() or mean(), or use vjp or jacobian`,
      );
    }
    const cotangents = traced.outputs.map((y) =>
      y === loss ? asTensor(1, y.dtype).broadcastTo(y.shape) : null,
    );
    const gradients = pullBack(traced, cotangents, true);
    let next = 0;
    const trees = wantedArguments
      .slice()
      .sort((a, b) => a - b)
      .map((n) => {
        const { leaves, def } = flatten(args[n]);
        return unflatten(
          def,
          leaves.map((leaf) => {
            const value = argumentValue(leaf);
            if (!wanted(n, leaf)) return zeros(value);
            const node = traced.leaves[next++];
            return (node && gradients.get(node)) ?? zeros(value);
          }),
        );
      });
    return [value, (typeof argnums === "number" ? trees[0] : trees) as A[0]];
  };
}

function checkArgument(args: readonly unknown[], n: number): void {
  if (n >= args.length)
    throw new TransformError(
      `grad: argument ${n} was asked for, the function was called with ${args.length}`,
    );
  const { leaves } = flatten(args[n]);
  if (leaves.length === 0)
    throw new TransformError(`grad: argument ${n} holds no tensor to differentiate with respect to`);
  if (!leaves.some((leaf) => carriesGradient(leaf))) {
    throw new TransformError(
      `grad: argument ${n} holds no floating-point tensor (${paths(args[n])[0] || "it"} is ${formatType(leaves[0])}); integers have no derivative, cast them first`,
    );
  }
}

/** The gradient of a scalar function with respect to its first argument (see `argnums`). */
export function grad<A extends unknown[], T>(
  f: (...args: A) => T,
  options: GradOptions = {},
): (...args: A) => A[0] {
  const both = valueAndGrad(f, options);
  return (...args) => both(...args)[1];
}
