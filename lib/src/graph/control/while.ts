/**
 * Loops inside a graph whose trip count the data decides. (Book, chapter 3: while_loop; its gradient is a loop of the same
 * trip count over a stack of the states that the forward loop went through.)
 */
import { isFloat } from "../../core/dtype.js";
import { formatType } from "../../core/shape.js";
import type { Tensor } from "../../core/tensor.js";
import { flatten, unflatten } from "../../core/tree.js";
import { call, filled, noKernel, regionTypes, runRegion } from "../../ir/call.js";
import {
  batchedGraph,
  inFront,
  jvpGraph,
  maskOf,
  runWithTangents,
  vjpGraph,
  zerosOf,
} from "../../ir/derive.js";
import { type Graph, IRError, typeOf } from "../../ir/graph.js";
import { interpret } from "../../ir/interpret.js";
import { isTracing, stage } from "../../ir/trace.js";
import { sameType } from "../../ir/verify.js";
import { bind } from "../../ops/bind.js";
import { asTensor, type TensorLike } from "../../ops/convert.js";
import { defineOp, type OpDef } from "../../ops/registry.js";
import { where as select } from "../../ops/select.js";
import type { DenseTensor } from "../../runtime/dense.js";
import {
  asPredicate,
  besideBatch,
  checkLike,
  closeRegions,
  hostValue,
  stageRegion,
  withTensors,
} from "./region.js";

interface WhileAttrs {
  /** (constants…, state…) → bool. */
  readonly cond: Graph;
  /** (constants…, state…) → (state…). */
  readonly body: Graph;
  /** Number of operands in front that no iteration changes. */
  readonly constants: number;
}

const holds = (cond: Graph, inputs: readonly Tensor[]): boolean => {
  const [answer] = runRegion(cond, inputs) as DenseTensor[];
  const value = answer.item() !== 0;
  answer.dispose();
  return value;
};

/** Runs the loop and calls `visit` with each state but the last; the states that it does not return are the caller's. */
function iterate(
  { cond, body, constants }: WhileAttrs,
  inputs: readonly Tensor[],
  visit: (state: readonly Tensor[]) => void,
): readonly Tensor[] {
  const fixed = inputs.slice(0, constants);
  let state = inputs.slice(constants);
  while (holds(cond, [...fixed, ...state])) {
    const next = runRegion(body, [...fixed, ...state]);
    visit(state);
    state = [...next];
  }
  return state;
}

const whileOp: OpDef<WhileAttrs> = defineOp<WhileAttrs>({
  name: "while",
  kind: "control",
  type: (inputs, { cond, body, constants }) => {
    const [test, ...others] = regionTypes(cond, inputs, "while");
    if (others.length > 0 || test.dtype !== "bool" || test.shape.length > 0)
      throw new IRError(`while: the condition returns one bool(), got ${formatType(test)}`);
    const state = inputs.slice(constants);
    const next = regionTypes(body, inputs, "while");
    if (next.length !== state.length || !next.every((type, i) => sameType(type, state[i])))
      throw new IRError(
        `while: the state is ${state.map(formatType).join(", ")}, the body returns ${next.map(formatType).join(", ")}`,
      );
    return next;
  },
  reference: noKernel("while"),
  composite: (inputs, attrs) => {
    let first = true;
    const result = iterate(attrs, inputs, (state) => {
      if (!first) dispose(state);
      first = false;
    });
    return first ? result.map((x) => x.reshape(x.shape)) : result;
  },
  saves: { inputs: "all" },
  vjp: (gradients, { inputs, outputTypes, attrs, needs }) => {
    const found = bind(whileGradOp, [...inputs, ...filled(gradients, outputTypes)], attrs);
    return found.map((g, i) => (needs[i] && isFloat(g.dtype) ? g : null));
  },
  jvp: (primals, tangents, _outputs, attrs) => {
    const { constants } = attrs;
    const count = primals.length;
    const fixedMask = maskOf(tangents.slice(0, constants));
    const moving = primals.slice(constants).map((x) => (isFloat(x.dtype) ? "1" : "0"));
    const graphs = tangentLoop(attrs, fixedMask + moving.join(""));
    const fixed = tangents.slice(0, constants).filter((t) => t !== null);
    const directions = tangents
      .slice(constants)
      .map((t, i) => t ?? zerosOf(primals[constants + i]))
      .filter((_, i) => moving[i] === "1");
    const inputsOfLoop = [
      ...primals.slice(0, constants),
      ...fixed,
      ...primals.slice(constants),
      ...directions,
    ];
    const outputs = bind(whileOp, inputsOfLoop, { ...graphs, constants: constants + fixed.length });
    let next = count - constants;
    return moving.map((m) => (m === "1" ? outputs[next++] : null));
  },
  batch: (inputs, axes, { cond, body, constants }, size) => {
    // one loop for all examples, for as long as any goes on; those that are done keep their state
    const batchedInputs = inputs.map((x, i) =>
      i >= constants || axes[i] !== null ? inFront(x, axes[i], size) : x,
    );
    const mask = inputs.map((_, i) => (i >= constants || axes[i] !== null ? "1" : "0")).join("");
    const test = batchedGraph(cond, mask, size);
    const step = batchedGraph(body, mask, size);
    const types = batchedInputs.map(typeOf);
    const masked: WhileAttrs = {
      cond: stage("any", types, (given) => [interpret(test, given)[0].any()]).graph,
      body: stage("masked", types, (given) => {
        const [going] = interpret(test, given);
        return interpret(step, given).map((next, i) => {
          const before = given[constants + i];
          return select(besideBatch(going, before), next, before);
        });
      }).graph,
      constants,
    };
    const outputs = bind(whileOp, batchedInputs, masked);
    return { outputs, axes: outputs.map(() => 0) };
  },
  samples: [],
});

function dispose(tensors: readonly Tensor[]): void {
  for (const x of tensors) x.dispose();
}

/** The loop that carries tangents along: (constants…, their tangents…, state…, its tangents…). */
function tangentLoop({ cond, body, constants }: WhileAttrs, mask: string): Pick<WhileAttrs, "cond" | "body"> {
  const types = body.params.map(typeOf);
  const fixed = types.slice(0, constants);
  const state = types.slice(constants);
  const fixedDual = fixed.filter((_, i) => mask[i] === "1");
  const stateDual = state.filter((_, i) => mask[constants + i] === "1");
  const all = [...fixed, ...fixedDual, ...state, ...stateDual];
  const parts = (given: readonly Tensor[]) => {
    const primals = [
      ...given.slice(0, constants),
      ...given.slice(constants + fixedDual.length, constants + fixedDual.length + state.length),
    ];
    const duals = [
      ...given.slice(constants, constants + fixedDual.length),
      ...given.slice(constants + fixedDual.length + state.length),
    ];
    return { primals, duals };
  };
  return {
    cond: stage(cond.name, all, (given) => interpret(cond, parts(given).primals)).graph,
    body: stage(`${body.name}_jvp`, all, (given) => {
      const { primals, duals } = parts(given);
      let next = 0;
      const directions = types.map((_, i) => (mask[i] === "1" ? duals[next++] : null));
      const { results, tangents } = runWithTangents(body, primals, directions);
      const moving = tangents
        .map((t, i) => t ?? zerosOf(state[i]))
        .filter((_, i) => mask[constants + i] === "1");
      return [...results, ...moving];
    }).graph,
  };
}

/** (constants…, state…, gradients of the final state…) → gradients of constants and first state. */
const whileGradOp: OpDef<WhileAttrs> = defineOp<WhileAttrs>({
  name: "whileGrad",
  kind: "control",
  type: (inputs, { body }) => body.params.map((_, i) => typeOf(inputs[i])),
  reference: noKernel("whileGrad"),
  composite: (inputs, attrs) => {
    const { body, constants } = attrs;
    const count = body.params.length;
    const given = inputs.slice(0, count);
    const fixed = given.slice(0, constants);
    const stack: (readonly Tensor[])[] = [];
    const last = iterate(attrs, given, (state) => stack.push(state));
    if (stack.length > 0) dispose(last);
    const back = vjpGraph(body);
    let sums = fixed.map((x) => zerosOf(x));
    let gradients: readonly Tensor[] = inputs.slice(count).map((x) => x.reshape(x.shape));
    for (let state = stack.pop(); state; state = stack.pop()) {
      const found = runRegion(back, [...fixed, ...state, ...gradients]);
      dispose(gradients);
      gradients = found.slice(constants);
      const parts = found.slice(0, constants);
      const before = sums;
      sums = before.map((sum, i) => (isFloat(sum.dtype) ? sum.add(parts[i]) : sum.reshape(sum.shape)));
      dispose([...before, ...parts]);
      if (stack.length > 0) dispose(state); // the first one is the caller's
    }
    return [...sums, ...gradients];
  },
  saves: { inputs: "all" },
  vjp: (gradients, { inputs, outputTypes, attrs, needs }) => {
    const graph = vjpGraph(replay(attrs.body, attrs));
    const found = call(graph, [...inputs, ...filled(gradients, outputTypes)]);
    return found.map((g, i) => (needs[i] && isFloat(g.dtype) ? g : null));
  },
  jvp: (primals, tangents, _outputs, attrs) => {
    const carried = tangents.filter((t) => t !== null);
    return call(jvpGraph(replay(attrs.body, attrs), maskOf(tangents)), [...primals, ...carried]);
  },
  batch: (inputs, axes, attrs, size) => {
    const given = inputs.map((x, i) => (axes[i] === null ? x : inFront(x, axes[i], size)));
    const outputs = call(batchedGraph(replay(attrs.body, attrs), maskOf(axes), size), given);
    return { outputs, axes: outputs.map(() => 0) };
  },
  samples: [],
});

const replays = new WeakMap<Graph, Map<Graph, Graph>>();

/**
 * The reverse loop without a stack: each state is computed again from the first one. Quadratic in the trip count, but
 * made of ops that can be differentiated and mapped; only derivatives of gradients of captured loops come here.
 */
function replay(key: Graph, { cond, body, constants }: WhileAttrs): Graph {
  const known = replays.get(key)?.get(cond);
  if (known) return known;
  const states = body.params.slice(constants).map(typeOf);
  const types = [...body.params.map(typeOf), ...states];
  const back = vjpGraph(body);
  const graph = stage(`${body.name}_replay`, types, (given) => {
    const fixed = given.slice(0, constants);
    const first = given.slice(constants, body.params.length);
    const step = (state: readonly Tensor[]): Tensor[] => interpret(body, [...fixed, ...state]);
    const zero = asTensor(0, "int32").cast("int32");
    const [trips] = whileLoop(
      (_k: Tensor, ...state: Tensor[]) => interpret(cond, [...fixed, ...state])[0],
      (k: Tensor, ...state: Tensor[]) => [k.add(1), ...step(state)],
      [zero, ...first] as [Tensor, ...Tensor[]],
    );
    const final = whileLoop(
      (k: Tensor) => k.greater(0),
      (k: Tensor, ...rest: Tensor[]) => {
        const sums = rest.slice(0, constants);
        const at = k.sub(1);
        const [, ...state] = whileLoop(
          (j: Tensor) => j.less(at),
          (j: Tensor, ...state: Tensor[]) => [j.add(1), ...step(state)],
          [zero, ...first] as [Tensor, ...Tensor[]],
        );
        const found = interpret(back, [...fixed, ...state, ...rest.slice(constants)]);
        return [at, ...sums.map((sum, i) => sum.add(found[i])), ...found.slice(constants)];
      },
      [trips, ...fixed.map(zerosOf), ...given.slice(body.params.length)] as [Tensor, ...Tensor[]],
    );
    return final.slice(1);
  }).graph;
  const inner = replays.get(key) ?? new Map<Graph, Graph>();
  replays.set(key, inner);
  inner.set(cond, graph);
  return graph;
}

/**
 * Repeats `body` on a state while `test` holds: state = body(...state). The state is a list; its entries are trees, whose
 * structure, shapes and dtypes stay. Where the test has a value, the loop simply runs (and a tape records each iteration);
 * while a graph is captured (or a batch mapped) it becomes one node, with forward and reverse derivatives.
 * @example whileLoop((x: Tensor) => x.less(100), (x: Tensor) => [x.mul(2)], [tensor(3)])[0] // 192
 * @throws TransformError naming the entry whose type the body changes; ShapeError if the test has several elements.
 */
export function whileLoop<S extends readonly unknown[]>(
  test: (...state: S) => TensorLike,
  body: (...state: S) => readonly [...S] | S,
  initial: S,
): S {
  let state = withTensors([...initial]) as unknown as S;
  if (!isTracing()) {
    for (;;) {
      const known = hostValue(asPredicate(test(...state), "whileLoop"));
      if (!known) break; // from here on the data of a batch decides
      if (known.item() === 0) return state;
      const next = withTensors(body(...state)) as unknown as S;
      checkState(state, next);
      state = next;
    }
  }
  const { leaves, def } = flatten(state);
  const regions = [
    stageRegion(
      "test",
      (...s: never[]) => asPredicate(test(...(s as unknown as S)), "whileLoop"),
      state,
      "whileLoop",
    ),
    stageRegion("body", (...s: never[]) => body(...(s as unknown as S)), state, "whileLoop"),
  ];
  checkLike(
    { def, types: leaves },
    { def: regions[1].def, types: regions[1].graph.results },
    "whileLoop",
    "the state",
    "what the body returns",
  );
  const { graphs, outer } = closeRegions(regions);
  const attrs: WhileAttrs = { cond: graphs[0], body: graphs[1], constants: outer.length };
  return unflatten(def, bind(whileOp, [...outer, ...leaves], attrs)) as S;
}

function checkState(before: unknown, after: unknown): void {
  const [a, b] = [flatten(before), flatten(after)];
  checkLike(
    { def: a.def, types: a.leaves },
    { def: b.def, types: b.leaves },
    "whileLoop",
    "the state",
    "what the body returns",
  );
}
