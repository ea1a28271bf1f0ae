/**
 * Collectives as ops inside of a forward pass: they block until the other members have come, and have reverse rules that
 * are collectives too. Each pairs what happens forward with its transpose, which happens backward. (Shoeybi et al.,
 * "Megatron-LM", 2019: f and g; Korthikanti et al., "Reducing activation recomputation", 2022: g and ḡ of sequence parallelism.)
 *
 * Every member must run the same ops in the same order; a gradient that only some members need hangs the others.
 */
import { ShapeError, TransformError } from "../../core/errors.js";
import { formatShape, normalizeAxis, type TensorType } from "../../core/shape.js";
import type { Tensor } from "../../core/tensor.js";
import { isTracing } from "../../ir/trace.js";
import { apply } from "../../ops/bind.js";
import { type Attrs, NOT_DIFFERENTIABLE, type OpDef } from "../../ops/registry.js";
import type { ProcessGroup } from "../group/process-group.js";
import { along, partOf } from "./parts.js";

/** What happens to a tensor in one direction. */
interface Step {
  readonly type: (x: TensorType) => TensorType;
  readonly run: (x: Tensor) => Tensor;
}

/** A pair of steps, of which each is the transpose of the other, on tensors whose axes stand at `shift` more than said. */
interface Pair {
  readonly name: string;
  readonly there: (shift: number) => Step;
  readonly back: (shift: number) => Step;
}

/** A linear op: its tangent goes the same way, its gradient the other. */
function opOf(pair: Pair, shift = 0): OpDef {
  const step = pair.there(shift);
  const reversed: Pair = { name: `${pair.name}.transpose`, there: pair.back, back: pair.there };
  return {
    name: pair.name,
    samples: [],
    type: ([x]) => [step.type(x)],
    composite: ([x]) => [outsideOfGraphs(pair.name, x, step)],
    reference: () => {
      throw new TransformError(`${pair.name} has no kernel: it talks to other members`);
    },
    vjp: ([g]) => [g && apply(opOf(reversed, shift), [g], {})],
    jvp: (_, [t]) => [t && apply(opOf(pair, shift), [t], {})],
    batch: ([x], [axis]) => {
      const order = x.shape.map((_, i) => i).filter((i) => i !== axis);
      const front = x.transpose([axis as number, ...order]);
      return { outputs: [apply(opOf(pair, shift + 1), [front], {})], axes: [0] };
    },
  };
}

function outsideOfGraphs(name: string, x: Tensor, { run }: Step): Tensor {
  if (isTracing() || x.trace !== null)
    throw new TransformError(
      `${name}: a captured graph can't hold what members say to each other; run this layer eagerly, and capture or jit what lies between such layers`,
    );
  return run(x);
}

const through = (): Step => ({ type: (x) => x, run: (x) => x.reshape(x.shape) });

const sumOf = (group: ProcessGroup) => (): Step => ({
  type: (x) => x,
  run: (x) => group.allReduce(x).wait(),
});

const typeAlong = ({ shape, dtype }: TensorType, axis: number, size: number): TensorType => ({
  dtype,
  shape: shape.map((n, i) => (i === axis ? size : n)),
});

/** The own part along an axis. */
const partStep =
  (group: ProcessGroup, axis: number) =>
  (shift: number): Step => {
    const at = axis + shift;
    const part = (size: number) => partOf(size, group.rank, group.size);
    return {
      type: (x) => typeAlong(x, at, part(x.shape[at]).length),
      run: (x) => along(x, at, part(x.shape[at])),
    };
  };

/** All parts along an axis, `whole` elements together. */
const gatherStep =
  (group: ProcessGroup, axis: number, whole: number) =>
  (shift: number): Step => ({
    type: (x) => typeAlong(x, axis + shift, whole),
    run: (x) => {
      const y = group.allGather(x, { axis: axis + shift }).wait();
      if (y.shape[axis + shift] !== whole)
        throw new ShapeError(
          `allGather: parts of ${whole} along axis ${axis} wanted, members brought ${formatShape(y.shape)}; where parts differ in length, give { whole }`,
        );
      return y;
    },
  });

/** The own part along an axis of the members' sum. */
const scatterStep =
  (group: ProcessGroup, axis: number) =>
  (shift: number): Step => {
    const at = axis + shift;
    return {
      type: (x) => typeAlong(x, at, partOf(x.shape[at], group.rank, group.size).length),
      run: (x) => group.reduceScatter(x, { axis: at }).wait(),
    };
  };

function applied(name: string, x: Tensor, there: Pair["there"], back: Pair["back"]): Tensor {
  return apply(opOf({ name, there, back }), [x], {});
}

export interface GatherOptions {
  /** Default 0 for sequence parallelism's rows, the last for features. */
  readonly axis?: number;
  /** Length of the whole along the axis. Default: members × the own part. */
  readonly whole?: number;
}

/**
 * Into a region where each member computes something else from the same `x`: forward nothing, backward the sum of the
 * members' gradients (Megatron's f).
 * @param x (…), the same on all members
 * @throws TransformError in a captured graph, as all of these
 * @example
 * await distributed.launch(2, (group) => {
 *   const x = variable([1, 2]);
 *   distributed.copyToTensorParallel(x, group).mul(group.rank + 1).sum().backward();
 *   return x.grad?.toArray();
 * }) // [[3, 3], [3, 3]]
 */
export function copyToTensorParallel(x: Tensor, group: ProcessGroup): Tensor {
  if (group.size === 1) return x;
  return applied("copyToTensorParallel", x, through, sumOf(group));
}

/**
 * Out of such a region: forward the sum of the members' values, backward nothing (Megatron's g).
 * @param x (…), a summand on each member
 * @returns (…), the sum, the same on all members
 * @example
 * await distributed.launch(2, (group) =>
 *   distributed.reduceFromTensorParallel(tensor([group.rank + 1]), group).toArray(),
 * ) // [[3], [3]]
 */
export function reduceFromTensorParallel(x: Tensor, group: ProcessGroup): Tensor {
  if (group.size === 1) return x;
  return applied("reduceFromTensorParallel", x, sumOf(group), through);
}

/**
 * The own part of what all members have: forward a slice, backward all parts.
 * @param x the same on all members
 * @param axis default the last
 * @example
 * await distributed.launch(2, (group) =>
 *   distributed.scatterToTensorParallel(tensor([1, 2, 3]), group).toArray(),
 * ) // [[1, 2], [3]]
 */
export function scatterToTensorParallel(x: Tensor, group: ProcessGroup, axis = -1): Tensor {
  if (group.size === 1) return x;
  const at = normalizeAxis(axis, x.ndim, "scatterToTensorParallel");
  return applied("scatterToTensorParallel", x, partStep(group, at), gatherStep(group, at, x.shape[at]));
}

/**
 * All members' parts, where all go on with the same computation: forward all parts, backward the own slice.
 * @param options `axis`: default the last
 * @example
 * await distributed.launch(2, (group) =>
 *   distributed.gatherFromTensorParallel(tensor([group.rank]), group).toArray(),
 * ) // [[0, 1], [0, 1]]
 */
export function gatherFromTensorParallel(
  x: Tensor,
  group: ProcessGroup,
  { axis = -1, whole }: GatherOptions = {},
): Tensor {
  if (group.size === 1) return x;
  const at = normalizeAxis(axis, x.ndim, "gatherFromTensorParallel");
  const all = whole ?? x.shape[at] * group.size;
  return applied("gatherFromTensorParallel", x, gatherStep(group, at, all), partStep(group, at));
}

/**
 * All members' parts, where each goes on with another computation: forward all parts, backward the own part of the sum of
 * the members' gradients.
 * @param options `axis`: default 0
 * @example
 * await distributed.launch(2, (group) => {
 *   const x = variable([group.rank + 1]);
 *   distributed.gatherFromSequenceParallel(x, group).mul(group.rank + 1).sum().backward();
 *   return x.grad?.toArray();
 * }) // [[3], [3]]
 */
export function gatherFromSequenceParallel(
  x: Tensor,
  group: ProcessGroup,
  { axis = 0, whole }: GatherOptions = {},
): Tensor {
  if (group.size === 1) return x;
  const at = normalizeAxis(axis, x.ndim, "gatherFromSequenceParallel");
  const all = whole ?? x.shape[at] * group.size;
  return applied("gatherFromSequenceParallel", x, gatherStep(group, at, all), scatterStep(group, at));
}

/**
 * The own part of the members' sum: forward a reduceScatter, backward all parts of the gradient.
 * @param x a summand on each member
 * @param axis default 0
 * @example
 * await distributed.launch(2, (group) =>
 *   distributed.reduceScatterToSequenceParallel(tensor([1, group.rank]), group).toArray(),
 * ) // [[2], [1]]
 */
export function reduceScatterToSequenceParallel(x: Tensor, group: ProcessGroup, axis = 0): Tensor {
  if (group.size === 1) return x;
  const at = normalizeAxis(axis, x.ndim, "reduceScatterToSequenceParallel");
  return applied(
    "reduceScatterToSequenceParallel",
    x,
    scatterStep(group, at),
    gatherStep(group, at, x.shape[at]),
  );
}

/** Rows for each member, and rows from each. */
export interface ExchangeCounts {
  readonly send: readonly number[];
  readonly receive: readonly number[];
}

/**
 * Rows to other members: forward an allToAll, backward the gradients on their way back.
 * @param x (rows, …), in the order of the members that they go to
 * @returns (rows, …), in the order of the members that they came from
 * @throws ShapeError if the counts are not those of the rows
 * @example
 * await distributed.launch(2, (group) => {
 *   const counts = group.rank === 0 ? { send: [0, 2], receive: [0, 1] } : { send: [1, 0], receive: [2, 0] };
 *   const mine = group.rank === 0 ? [1, 2] : [3];
 *   return distributed.exchangeRows(tensor(mine), group, counts).toArray();
 * }) // [[3], [1, 2]]
 */
export function exchangeRows(x: Tensor, group: ProcessGroup, { send, receive }: ExchangeCounts): Tensor {
  const total = (counts: readonly number[]): number => counts.reduce((a, b) => a + b, 0);
  if (send.length !== group.size || receive.length !== group.size || total(send) !== x.shape[0])
    throw new ShapeError(
      `exchangeRows: counts for ${group.size} members of ${x.shape[0]} rows wanted, got send [${send.join()}], receive [${receive.join()}]`,
    );
  const step =
    (there: readonly number[], back: readonly number[]) =>
    (shift: number): Step => ({
      type: (y) => typeAlong(y, shift, total(back)),
      run: (y) => {
        if (shift === 0) return group.allToAll(y, { counts: there, receive: back }).wait();
        const order = y.shape.map((_, i) => i);
        const rows = y.transpose([shift, ...order.filter((i) => i !== shift)]);
        const moved = group.allToAll(rows, { counts: there, receive: back }).wait();
        return moved.transpose([...order.slice(1, shift + 1), 0, ...order.slice(shift + 1)]);
      },
    });
  return applied("exchangeRows", x, step(send, receive), step(receive, send));
}

/**
 * The largest of the members' values, element by element. Gradients stop here.
 * @example
 * await distributed.launch(2, (group) =>
 *   distributed.maxAcross(tensor([group.rank, 1 - group.rank]), group).toArray(),
 * ) // [[1, 1], [1, 1]]
 */
export function maxAcross(x: Tensor, group: ProcessGroup): Tensor {
  return group.size === 1 ? x.stopGradient() : apply(maxOp(group), [x], {});
}

function maxOp(group: ProcessGroup): OpDef {
  const step: Step = {
    type: (x) => x,
    run: (x) => group.allReduce(x, { op: "max" }).wait(),
  };
  return {
    name: "maxAcross",
    samples: [],
    type: ([x]) => [x],
    composite: ([x]) => [outsideOfGraphs("maxAcross", x, step)],
    reference: () => {
      throw new TransformError("maxAcross has no kernel: it talks to other members");
    },
    vjp: NOT_DIFFERENTIABLE,
    jvp: NOT_DIFFERENTIABLE,
    batch: (inputs, axes, attrs: Attrs) => ({ outputs: [apply(maxOp(group), [inputs[0]], attrs)], axes }),
  };
}
