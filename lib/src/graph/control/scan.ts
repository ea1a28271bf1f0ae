/**
 * Loops inside a graph over the entries of an array: a state is carried along, an output is collected per entry. The trip
 * count is known, so reverse mode can keep what it needs in arrays. (Book, chapter 3: recurrent control flow.)
 */
import { isFloat } from "../../core/dtype.js";
import { ShapeError, TransformError } from "../../core/errors.js";
import { formatShape, formatType, sizeOf, type TensorType } from "../../core/shape.js";
import type { Tensor } from "../../core/tensor.js";
import { flatten, map as treeMap, unflatten } from "../../core/tree.js";
import { filled, noKernel, regionTypes, runRegion } from "../../ir/call.js";
import { batchedGraph, inFront, partition, runWithTangents, zerosOf } from "../../ir/derive.js";
import { type Graph, IRError, typeOf, type Value } from "../../ir/graph.js";
import { interpret } from "../../ir/interpret.js";
import { isTracing, stage } from "../../ir/trace.js";
import { sameType } from "../../ir/verify.js";
import { bind } from "../../ops/bind.js";
import { defineOp, type OpDef } from "../../ops/registry.js";
import { stack } from "../../ops/shape.js";
import { type DenseTensor, emptyDense, readElements } from "../../runtime/dense.js";
import { getDevice } from "../../runtime/devices.js";
import { checkLike, closeRegions, stageRegion, withTensors } from "./region.js";

interface ScanAttrs {
  /** (constants…, state…, entries…) → (state…, outputs…). */
  readonly body: Graph;
  readonly constants: number;
  readonly carry: number;
  readonly length: number;
  readonly reverse: boolean;
  /** Set when the loop is to be differentiated: the body of the reverse loop, and what it reads. */
  readonly back?: Graph;
  /** Which entries the reverse loop reads. */
  readonly reads?: readonly number[];
  /** Number of outputs of the body without residuals. */
  readonly results?: number;
}

const stacked = (type: TensorType, length: number): TensorType => ({
  dtype: type.dtype,
  shape: [length, ...type.shape],
});
const entry = ({ dtype, shape }: TensorType): TensorType => ({ dtype, shape: shape.slice(1) });

const scanOp: OpDef<ScanAttrs> = defineOp<ScanAttrs>({
  name: "scan",
  kind: "control",
  type: (inputs, { body, constants, carry, length }) => {
    const arrays = inputs.slice(constants + carry);
    for (const x of arrays)
      if (x.shape[0] !== length)
        throw new ShapeError(`scan: ${length} entries expected along axis 0, got ${formatType(x)}`);
    const results = regionTypes(body, [...inputs.slice(0, constants + carry), ...arrays.map(entry)], "scan");
    const state = inputs.slice(constants, constants + carry);
    if (!state.every((type, i) => results[i] && sameType(type, results[i])))
      throw new IRError(
        `scan: the state is ${state.map(formatType).join(", ")}, the body returns ${results.map(formatType).join(", ")}`,
      );
    return [...results.slice(0, carry), ...results.slice(carry).map((type) => stacked(type, length))];
  },
  reference: noKernel("scan"),
  composite: (inputs, { body, constants, carry, length, reverse }) => {
    const fixed = inputs.slice(0, constants);
    const arrays = inputs.slice(constants + carry) as DenseTensor[];
    let state = inputs.slice(constants, constants + carry);
    const outputs = body.results
      .slice(carry)
      .map((type) => emptyDense([length, ...type.shape], type.dtype, getDevice()));
    const sizes = body.results.slice(carry).map((type) => sizeOf(type.shape));
    for (let step = 0; step < length; step++) {
      const t = reverse ? length - 1 - step : step;
      const now = arrays.map((x) => x.at(t));
      const results = runRegion(body, [...fixed, ...state, ...now]);
      results.slice(carry).forEach((y, i) => {
        outputs[i].storage.write(readElements(y as DenseTensor), t * sizes[i]);
        y.dispose();
      });
      for (const x of now) x.dispose();
      if (step > 0) for (const x of state) x.dispose();
      state = results.slice(0, carry);
    }
    return [...(length === 0 ? state.map((x) => x.reshape(x.shape)) : state), ...outputs];
  },
  residuals: (attrs) => forReverse(attrs),
  saves: { inputs: "all", outputs: true },
  vjp: (gradients, { inputs, outputs, outputTypes, attrs, needs }) => {
    const { carry, constants, length, reverse } = attrs;
    const wide = attrs.back ? attrs : forReverse(attrs);
    const values = attrs.back ? outputs : bind(scanOp, inputs, wide);
    const results = wide.results ?? 0;
    const given = filled(gradients.slice(0, results), outputTypes.slice(0, results));
    const fixed = inputs.slice(0, constants);
    const arrays = inputs.slice(constants + carry);
    const read = (wide.reads ?? []).map((i) => arrays[i]);
    const found = bind(
      scanOp,
      [
        ...fixed,
        ...given.slice(0, carry),
        ...fixed.map(zerosOf),
        ...read,
        ...values.slice(results),
        ...given.slice(carry),
      ],
      { body: wide.back as Graph, constants, carry: carry + constants, length, reverse: !reverse },
    );
    const ordered = [
      ...found.slice(carry, carry + constants),
      ...found.slice(0, carry),
      ...found.slice(carry + constants),
    ];
    return ordered.map((g, i) => (needs[i] && isFloat(g.dtype) ? g : null));
  },
  jvp: (primals, tangents, _outputs, attrs) => {
    const { constants, carry, body } = attrs;
    const groups = [0, constants, constants + carry, primals.length];
    const part = <T>(list: readonly T[], k: number): T[] => list.slice(groups[k], groups[k + 1]);
    const dual = primals.map((x, i) =>
      isFloat(x.dtype) && (tangents[i] !== null || inState(i)) ? "1" : "0",
    );
    function inState(i: number): boolean {
      return i >= constants && i < constants + carry;
    }
    const directions = primals.map((x, i) => (dual[i] === "1" ? (tangents[i] ?? zerosOf(x)) : null));
    const some = (k: number): Tensor[] => part(directions, k).filter((t) => t !== null);
    const inner = body.params.map(typeOf);
    const typesIn = [0, 1, 2].flatMap((k) => [
      ...part(inner, k),
      ...part(inner, k).filter((_, i) => dual[groups[k] + i] === "1"),
    ]);
    const counts = [0, 1, 2].map((k) => some(k).length);
    const step = stage(`${body.name}_jvp`, typesIn, (given) => {
      let next = 0;
      const take = (n: number): Tensor[] => {
        next += n;
        return given.slice(next - n, next);
      };
      const primal: Tensor[] = [];
      const along: (Tensor | null)[] = [];
      for (const k of [0, 1, 2]) {
        primal.push(...take(groups[k + 1] - groups[k]));
        const list = take(counts[k]);
        along.push(...part(dual, k).map((d) => (d === "1" ? (list.shift() as Tensor) : null)));
      }
      const { results, tangents: out } = runWithTangents(body, primal, along);
      const full = out.map((t, i) => t ?? zerosOf(results[i]));
      const stateOut = full.slice(0, carry).filter((_, i) => dual[constants + i] === "1");
      return [...results.slice(0, carry), ...stateOut, ...full.slice(carry)];
    }).graph;
    const inputs = [0, 1, 2].flatMap((k) => [...part(primals, k), ...some(k)]);
    const outputs = bind(scanOp, inputs, {
      body: step,
      constants: constants + counts[0],
      carry: carry + counts[1],
      length: attrs.length,
      reverse: attrs.reverse,
    });
    let next = carry;
    const state = part(dual, 1).map((d) => (d === "1" ? outputs[next++] : null));
    const rest = outputs.slice(next).map((t) => (isFloat(t.dtype) ? t : null));
    return [...state, ...rest];
  },
  batch: (inputs, axes, attrs, size) => {
    const { constants, carry, body } = attrs;
    const isState = (i: number): boolean => i >= constants && i < constants + carry;
    const given = inputs.map((x, i) => {
      if (isState(i)) return inFront(x, axes[i], size);
      if (axes[i] === null) return x;
      const front = inFront(x, axes[i], size);
      return i < constants ? front : front.swapAxes(0, 1); // entries first, then the batch
    });
    const mask = inputs.map((_, i) => (isState(i) || axes[i] !== null ? "1" : "0")).join("");
    const outputs = bind(scanOp, given, {
      ...stripped(attrs),
      body: batchedGraph(body, mask, size),
    });
    return { outputs, axes: outputs.map((_, i) => (i < carry ? 0 : 1)) };
  },
  samples: [],
});

/** The loop alone, without what was added for its reverse. */
function stripped({ body, constants, carry, length, reverse }: ScanAttrs): ScanAttrs {
  return { body, constants, carry, length, reverse };
}

const prepared = new WeakMap<Graph, Map<string, ScanAttrs>>();

/**
 * The same loop, whose body also puts out what the reverse loop reads at each entry: intermediate results, and the state
 * that came in. The reverse loop carries the gradient of the state, and sums those of the constants.
 */
function forReverse(attrs: ScanAttrs): ScanAttrs {
  const { body, constants, carry, length, reverse } = attrs;
  const key = `${constants},${carry},${length},${reverse}`;
  const known = prepared.get(body)?.get(key);
  if (known) return known;
  const { forward, backward } = partition(body);
  const read = new Set<Value>([...backward.nodes.flatMap((node) => node.inputs), ...backward.results]);
  const count = body.params.length;
  const statesRead = forward.params.slice(constants, constants + carry).filter((param) => read.has(param));
  const reads = body.params.flatMap((_, i) =>
    i >= constants + carry && read.has(forward.params[i]) ? [i - constants - carry] : [],
  );
  const residuals = forward.results.slice(body.results.length);
  const wideBody = forward.with({ results: [...forward.results, ...statesRead] });
  const types = {
    fixed: body.params.slice(0, constants).map(typeOf),
    state: body.params.slice(constants, constants + carry).map(typeOf),
    entries: reads.map((i) => typeOf(body.params[constants + carry + i])),
    outputs: body.results.slice(carry).map(typeOf),
  };
  const back = stage(
    `${body.name}_back`,
    [
      ...types.fixed,
      ...types.state,
      ...types.fixed,
      ...types.entries,
      ...residuals,
      ...statesRead,
      ...types.outputs,
    ].map(typeOf),
    (given) => {
      let next = 0;
      const take = (n: number): Tensor[] => {
        next += n;
        return given.slice(next - n, next);
      };
      const fixed = take(constants);
      const gradient = take(carry);
      const sums = take(constants);
      const entries = take(reads.length);
      const kept = take(residuals.length);
      const states = take(statesRead.length);
      const outputs = take(types.outputs.length);
      const params = forward.params.map((param, i): Tensor => {
        if (i < constants) return fixed[i];
        if (i < constants + carry) return states[statesRead.indexOf(param)] ?? zerosOf(param);
        return entries[reads.indexOf(i - constants - carry)] ?? zerosOf(param);
      });
      const found = interpret(backward, [...params, ...kept, ...gradient, ...outputs]);
      return [
        ...found.slice(constants, constants + carry),
        ...sums.map((sum, i) => (isFloat(sum.dtype) ? sum.add(found[i]) : sum)),
        ...found.slice(constants + carry, count),
      ];
    },
  ).graph;
  const made: ScanAttrs = {
    body: wideBody,
    constants,
    carry,
    length,
    reverse,
    back,
    reads,
    results: body.results.length,
  };
  const inner = prepared.get(body) ?? new Map<string, ScanAttrs>();
  prepared.set(body, inner);
  inner.set(key, made);
  return made;
}

export interface ScanOptions {
  /** Go from the last entry to the first. */
  readonly reverse?: boolean;
  /** Number of iterations; needed where there are no arrays to go over. */
  readonly length?: number;
}

/**
 * Goes over the entries (along axis 0) of a tree of arrays: `[state, output] = f(state, entry)`. Returns the last state
 * and the outputs, stacked. While a graph is captured the loop becomes one node.
 * @example scan((s: Tensor, x: Tensor) => [s.add(x), s.add(x)], tensor(0), tensor([1, 2, 3]))[1] // [1, 3, 6]
 * @throws TransformError if `f` changes the type of the state; ShapeError if the arrays differ in length.
 */
export function scan<S, X, Y>(
  f: (state: S, entry: X) => readonly [S, Y],
  initial: S,
  arrays: X,
  options: ScanOptions = {},
): [state: S, outputs: Y] {
  const flat = flatten(arrays);
  const length = lengthOf(flat.leaves, options.length);
  const reverse = options.reverse ?? false;
  const start = withTensors(initial) as S;
  if (!isTracing() && length > 0) return runEagerly(f, start, arrays, length, reverse);
  const state = flatten(start);
  const region = stageRegion("body", (s: never, x: never) => pair(f(s, x)), [start, arrays], "scan", [
    ...state.leaves.map(typeOf),
    ...flat.leaves.map(entry),
  ]);
  checkLike(
    { def: state.def, types: state.leaves },
    { def: region.def.children[0], types: region.graph.results.slice(0, state.leaves.length) },
    "scan",
    "the state",
    "the state that the function returns",
  );
  const { graphs, outer } = closeRegions([region]);
  const outputs = bind(scanOp, [...outer, ...state.leaves, ...flat.leaves], {
    body: graphs[0],
    constants: outer.length,
    carry: state.leaves.length,
    length,
    reverse,
  });
  return unflatten(region.def, outputs) as [S, Y];
}

/** The same as a loop of the host program: on tensors and on tracers that have values, a tape sees each iteration. */
function runEagerly<S, X, Y>(
  f: (state: S, entry: X) => readonly [S, Y],
  start: S,
  arrays: X,
  length: number,
  reverse: boolean,
): [S, Y] {
  const { leaves: first, def } = flatten(start);
  let state = start;
  const collected: unknown[] = [];
  for (let step = 0; step < length; step++) {
    const t = reverse ? length - 1 - step : step;
    const [next, output] = withTensors(
      pair(
        f(
          state,
          treeMap((x) => x.at(t), arrays),
        ),
      ),
    ) as [S, Y];
    const flat = flatten(next);
    checkLike(
      { def, types: first },
      { def: flat.def, types: flat.leaves },
      "scan",
      "the state",
      "the state that the function returns",
    );
    state = next;
    collected[t] = output;
  }
  const outputs = treeMap((y, ...others) => stack([y, ...others]), collected[0], ...collected.slice(1));
  return [state, outputs as Y];
}

function pair<T>(result: T): T {
  if (Array.isArray(result) && result.length === 2) return result;
  throw new TransformError(
    "scan: the function returns [state, output]; without an output return [state, null]",
  );
}

function lengthOf(arrays: readonly Tensor[], given: number | undefined): number {
  const lengths = arrays.map((x) => {
    if (x.ndim === 0) throw new ShapeError(`scan: a ${formatType(x)} has no entries to go over`);
    return x.shape[0];
  });
  const length = given ?? lengths[0];
  if (length === undefined || !Number.isInteger(length) || length < 0)
    throw new ShapeError("scan: there is no array to go over; give the number of iterations as length");
  const other = arrays.find((x) => x.shape[0] !== length);
  if (other)
    throw new ShapeError(
      `scan: the arrays have different numbers of entries: ${length} and ${formatShape(other.shape)}[0]`,
    );
  return length;
}
