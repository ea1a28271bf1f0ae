/**
 * Choosing between functions inside a graph: cond and switchCase. Both branches are in the graph, one runs; so does its
 * gradient. (Book, chapter 3: in-graph control flow, tf.cond and tf.case.)
 */
import { isFloat } from "../../core/dtype.js";
import { ShapeError, ValueError } from "../../core/errors.js";
import { formatType } from "../../core/shape.js";
import type { Tensor } from "../../core/tensor.js";
import { leaves as leavesOf, unflatten } from "../../core/tree.js";
import { filled, noKernel, regionTypes, runRegion } from "../../ir/call.js";
import { batchedGraph, inFront, jvpGraph, maskOf, vjpGraph } from "../../ir/derive.js";
import { type Graph, IRError } from "../../ir/graph.js";
import { interpret } from "../../ir/interpret.js";
import { sameType } from "../../ir/verify.js";
import { bind } from "../../ops/bind.js";
import type { TensorLike } from "../../ops/convert.js";
import { type Attrs, defineOp, type OpDef } from "../../ops/registry.js";
import { where as select } from "../../ops/select.js";
import type { DenseTensor } from "../../runtime/dense.js";
import {
  asPredicate,
  asScalar,
  besideBatch,
  checkLike,
  closeRegions,
  hostValue,
  stageRegion,
  typesOf,
} from "./region.js";

interface CondAttrs {
  readonly onTrue: Graph;
  readonly onFalse: Graph;
}

interface SwitchAttrs {
  readonly branches: readonly Graph[];
}

/** What tells the two ops apart. */
interface BranchForm<A extends Attrs> {
  readonly name: string;
  /** By index. */
  readonly branches: (attrs: A) => readonly Graph[];
  readonly attrs: (branches: readonly Graph[]) => A;
  /** Index of the branch for the element of the first operand. */
  readonly index: (element: number, count: number) => number;
}

const read = (x: Tensor): number => (x as DenseTensor).item();

function defineBranches<A extends Attrs>(form: BranchForm<A>): OpDef<A> {
  const { name, branches, attrs: make } = form;
  const op: OpDef<A> = defineOp<A>({
    name,
    kind: "control",
    type: ([index, ...operands], attrs) => {
      if (index.shape.length > 0 || isFloat(index.dtype))
        throw new ShapeError(
          `${name}: what chooses the branch is an integer or bool without axes, got ${formatType(index)}`,
        );
      const [first, ...rest] = branches(attrs).map((branch) => regionTypes(branch, operands, name));
      for (const types of rest)
        if (types.length !== first.length || !types.every((type, i) => sameType(type, first[i])))
          throw new IRError(
            `${name}: the branches return ${[first, types].map((t) => t.map(formatType).join(", ")).join(" and ")}`,
          );
      return first;
    },
    reference: noKernel(name),
    composite: ([index, ...operands], attrs) => {
      const list = branches(attrs);
      return runRegion(list[form.index(read(index), list.length)], operands);
    },
    saves: { inputs: "all" },
    vjp: (gradients, { inputs, outputTypes, attrs, needs }) => {
      const given = filled(gradients, outputTypes);
      const found = bind(op, [...inputs, ...given], make(branches(attrs).map((branch) => vjpGraph(branch))));
      return [null, ...found.map((g, i) => (needs[i + 1] && isFloat(g.dtype) ? g : null))];
    },
    jvp: (primals, [, ...tangents], _outputs, attrs) => {
      const mask = maskOf(tangents);
      const carried = tangents.filter((t) => t !== null);
      return bind(
        op,
        [...primals, ...carried],
        make(branches(attrs).map((branch) => jvpGraph(branch, mask))),
      );
    },
    batch: ([index, ...operands], [axis, ...axes], attrs, size) => {
      const given = operands.map((x, i) => (axes[i] === null ? x : inFront(x, axes[i], size)));
      const mapped = branches(attrs).map((branch) => batchedGraph(branch, maskOf(axes), size));
      if (axis === null) {
        const outputs = bind(op, [index, ...given], make(mapped));
        return { outputs, axes: outputs.map(() => 0) };
      }
      // examples disagree: every branch runs on all of them, and each takes its own
      const results = mapped.map((branch) => interpret(branch, given));
      const outputs = results[0].map((_, k) =>
        results
          .map((result) => result[k])
          .reduce((rest, y, i) => select(besideBatch(chosen(index, i, mapped.length), y), y, rest)),
      );
      return { outputs, axes: outputs.map(() => 0) };
    },
    samples: [],
  });
  /** True where `index` chooses branch `i` or, for the last, anything beyond. */
  const chosen = (index: Tensor, i: number, count: number): Tensor =>
    i === count - 1 ? index.cast("int32").greaterEqual(i) : index.cast("int32").equal(i);
  return op;
}

const condOp = defineBranches<CondAttrs>({
  name: "cond",
  branches: (attrs) => [attrs.onFalse, attrs.onTrue],
  attrs: ([otherwise, then]) => ({ onTrue: then, onFalse: otherwise }),
  index: (element) => (element !== 0 ? 1 : 0),
});

const switchOp = defineBranches<SwitchAttrs>({
  name: "switch",
  branches: ({ branches }) => branches,
  attrs: (branches) => ({ branches }),
  index: (element, count) => Math.min(Math.max(element, 0), count - 1),
});

/**
 * `then(...operands)` if the predicate holds, else `otherwise(...operands)`. Where the predicate has a value, that branch
 * simply runs. While a graph is captured (or a batch mapped) both are written into it, and must return like trees.
 * What the branches read by closure is differentiated like the operands.
 * @example cond(tensor(true), (x: Tensor) => x.mul(2), (x: Tensor) => x.neg(), tensor([3])) // [6]
 * @throws ShapeError if the predicate has several elements; TransformError naming where the branches' results differ.
 */
export function cond<A extends unknown[], T>(
  predicate: TensorLike,
  then: (...operands: A) => T,
  otherwise: (...operands: A) => T,
  ...operands: A
): T {
  const p = asPredicate(predicate, "cond");
  const known = hostValue(p);
  if (known) return (known.item() !== 0 ? then : otherwise)(...operands);
  const regions = [
    stageRegion("else", otherwise, operands, "cond"),
    stageRegion("then", then, operands, "cond"),
  ];
  return branch(
    condOp as never,
    p,
    regions,
    operands,
    (graphs) => ({ onTrue: graphs[1], onFalse: graphs[0] }),
    "cond",
  );
}

/**
 * The branch with this number, applied to the operands; numbers outside are taken to the nearest branch.
 * @throws ValueError without branches; else as `cond`.
 * @example switchCase(1, [(x: Tensor) => x.neg(), (x: Tensor) => x.mul(10)], tensor([1, 2])) // [10, 20]
 */
export function switchCase<A extends unknown[], T>(
  index: TensorLike,
  branches: readonly ((...operands: A) => T)[],
  ...operands: A
): T {
  if (branches.length === 0) throw new ValueError("switchCase: there is no branch to choose");
  const at = asScalar(index, "switchCase", "index").cast("int32");
  const known = hostValue(at);
  if (known) return branches[Math.min(Math.max(known.item(), 0), branches.length - 1)](...operands);
  const regions = branches.map((f, i) => stageRegion(`case${i}`, f, operands, "switchCase"));
  return branch(switchOp as never, at, regions, operands, (graphs) => ({ branches: graphs }), "switchCase");
}

function branch<T>(
  op: OpDef,
  index: Tensor,
  regions: readonly ReturnType<typeof stageRegion>[],
  operands: readonly unknown[],
  attrs: (graphs: readonly Graph[]) => Attrs,
  name: string,
): T {
  const [first, ...rest] = regions.map(({ def, graph }) => ({
    def,
    types: typesOf(graph.results),
    label: graph.name,
  }));
  for (const other of rest)
    checkLike(first, other, name, `what "${first.label}" returns`, `what "${other.label}" returns`);
  const { graphs, outer } = closeRegions(regions);
  const outputs = bind(op, [index, ...outer, ...leavesOf(operands)], attrs(graphs));
  return unflatten(regions[0].def, outputs) as T;
}
