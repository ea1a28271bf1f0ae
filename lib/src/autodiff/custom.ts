/** Functions with a reverse rule of their own, recorded as one op. (Book, chapter 4: elemental operators with gradients.) */
import { TransformError } from "../core/errors.js";
import type { Tensor } from "../core/tensor.js";
import { difference, flatten, type TreeDef, unflatten } from "../core/tree.js";
import { bind } from "../ops/bind.js";
import type { Attrs, OpDef } from "../ops/registry.js";
import { tidy } from "../ops/tidy.js";
import { resultTypes } from "./abstract.js";
import { vmap } from "./batch.js";
import { pullBack, recordRun } from "./reverse.js";
import { callSync, constantLike } from "./trace.js";

/** How to go back through a function. */
export interface CustomRule<A extends unknown[], T, R> {
  /** Runs the function where a gradient is wanted, and says what backward will need. Default: the function, and its arguments. */
  readonly forward?: (...args: A) => readonly [value: T, residuals: R];
  /**
   * Gradients of the arguments from that of the value: one entry per argument, a tree like it, or `null` for zero.
   * Written with ops, so that it can be mapped and differentiated again.
   */
  readonly backward: (residuals: R, gradient: T) => readonly unknown[];
}

/** A function of leaves: what an op made of a function runs. */
type Leafwise = (inputs: readonly Tensor[]) => readonly Tensor[];

/**
 * `f` with its own reverse rule, instead of the one that follows from its ops: for gradients that are more stable, cheaper
 * or different on purpose (straight-through estimators, clipping).
 * @example
 * const roundThrough = customVjp((x: Tensor) => x.round(), { backward: (_, g) => [g] });
 * @throws TransformError under forward mode (jvp), for which there is no rule; if the rule's gradients do not fit the
 * arguments; if `f` uses a differentiated value that is not among its arguments.
 */
export function customVjp<A extends unknown[], T, R = A>(
  f: (...args: A) => T,
  rule: CustomRule<A, T, R>,
): (...args: A) => T {
  const name = `customVjp(${f.name || "anonymous"})`;
  return (...args) => {
    const { leaves, def } = flatten(args);
    if (leaves.every((leaf) => leaf.trace === null)) return callSync(f as never, args, name) as T;
    const shape: Shapes = { args: def, value: null, residuals: null };
    const forward: Leafwise = (inputs) => {
      const given = unflatten(def, inputs) as A;
      const run = rule.forward ?? ((...x: A) => [callSync(f as never, x, name), x]);
      const pair: readonly unknown[] = callSync(run as never, given, name);
      if (!Array.isArray(pair) || pair.length !== 2)
        throw new TransformError(`${name}: forward returns [value, residuals]`);
      const [flatValue, flatRest] = pair.map(flatten);
      shape.value = flatValue.def;
      shape.residuals = flatRest.def;
      return [...flatValue.leaves, ...flatRest.leaves];
    };
    const backward: Leafwise = (saved) => {
      const count = shape.residuals?.leafCount ?? 0;
      const residuals = unflatten(shape.residuals as TreeDef, saved.slice(0, count)) as R;
      const gradient = unflatten(shape.value as TreeDef, saved.slice(count)) as T;
      return matched(rule.backward(residuals, gradient), def, unflatten(def, leaves) as A, name);
    };
    // only a second transformation below can send a gradient into the residuals
    const nested = leaves.some((leaf) => leaf.trace !== null && leaf.peel()?.trace !== null);
    const outputs = bind(customOp({ name, forward, backward, shape, nested }), leaves, {});
    return unflatten(shape.value as unknown as TreeDef, outputs.slice(0, valueCount(shape))) as T;
  };
}

/** Structures that are known once `forward` has run. */
interface Shapes {
  readonly args: TreeDef;
  value: TreeDef | null;
  residuals: TreeDef | null;
}

const valueCount = (shape: Shapes): number => shape.value?.leafCount ?? 0;

interface CustomParts {
  readonly name: string;
  readonly forward: Leafwise;
  readonly backward: Leafwise;
  readonly shape: Shapes;
  readonly nested: boolean;
}

/** An op whose outputs are the leaves of the value, then those of the residuals. */
function customOp(parts: CustomParts): OpDef {
  const { name, forward, backward, shape, nested } = parts;
  return {
    name,
    samples: [],
    type: (inputs) => resultTypes(forward, inputs),
    composite: (inputs) => tidy(() => forward(inputs)),
    reference: () => {
      throw new TransformError(`${name} has no kernel: it runs other ops`);
    },
    saves: { inputs: nested ? "all" : [], outputs: true },
    vjp: (gradients, { inputs, outputs }) => {
      const count = valueCount(shape);
      const given = gradients.slice(0, count).map((g, i) => g ?? constantLike(outputs[i], 0));
      const found = backward([...outputs.slice(count), ...given]);
      const rest = gradients.map((g, i) => (i < count ? null : g));
      return rest.every((g) => g === null) ? found : sums(found, throughForward(forward, inputs, rest, name));
    },
    jvp: () => {
      throw new TransformError(
        `${name} defines a reverse rule only; jvp, linearize and forward-mode jacobians cannot pass through it`,
      );
    },
    batch: (inputs, axes, attrs: Attrs, size) => {
      const mapped = vmap((...x: Tensor[]) => forward(x), { inAxes: axes, axisSize: size });
      const mappedBack: Leafwise = (saved) => {
        const back = vmap((...x: Tensor[]) => backward(x), { axisSize: size });
        return back(...saved).map((g, i) => (axes[i] === null ? g.sum(0) : moveFront(g, axes[i] as number)));
      };
      const op = customOp({ ...parts, forward: (x) => mapped(...x), backward: mappedBack });
      const outputs = bind(op, inputs, attrs);
      return { outputs, axes: outputs.map(() => 0) };
    },
  };
}

/** The residuals depend on the arguments as `forward` computes them: second derivatives go back through it. */
function throughForward(
  forward: Leafwise,
  inputs: readonly Tensor[],
  gradients: readonly (Tensor | null)[],
  name: string,
): (Tensor | null)[] {
  const recording = recordRun(
    (...x: Tensor[]) => forward(x),
    inputs,
    () => true,
    name,
  );
  return pullBack(recording, gradients, true);
}

function sums(a: readonly Tensor[], b: readonly (Tensor | null)[]): Tensor[] {
  return a.map((x, i) => {
    const y = b[i];
    return y ? x.add(y) : x;
  });
}

/** The batch, in front, moved to `axis`. */
function moveFront(g: Tensor, axis: number): Tensor {
  const order = g.shape.map((_, i) => i).slice(1);
  order.splice(axis, 0, 0);
  return g.transpose(order);
}

/** The leaves of the gradients that a rule returned, in the order of the arguments' leaves. */
function matched(
  gradients: readonly unknown[],
  def: TreeDef,
  args: readonly unknown[],
  name: string,
): Tensor[] {
  if (!Array.isArray(gradients) || gradients.length !== args.length) {
    const got = Array.isArray(gradients) ? `${gradients.length} entries` : typeof gradients;
    throw new TransformError(
      `${name}: backward returns a list with one gradient per argument (${args.length}), got ${got}`,
    );
  }
  return gradients.flatMap((g: unknown, i) => {
    const wanted = def.children[i];
    if (g === null || g === undefined) return flatten(args[i]).leaves.map((leaf) => constantLike(leaf, 0));
    const found = flatten(g);
    const difference_ = difference(wanted, found.def, `argument ${i}`);
    if (difference_) throw new TransformError(`${name}: backward's gradient does not fit: ${difference_}`);
    return found.leaves;
  });
}
