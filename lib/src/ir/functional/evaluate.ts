/** Runs functions of the functional form: on tensors, and on the tracers of any transformation. */
import { formatType } from "../../core/shape.js";
import { Tensor } from "../../core/tensor.js";
import { bind } from "../../ops/bind.js";
import { asTensor } from "../../ops/convert.js";
import { needConcrete } from "../../ops/read.js";
import { zerosOf } from "../derive.js";
import { IRError } from "../graph.js";
import { type ANode, callsOf, FuncGraph, freeVariables, type Primitive, ZERO } from "./func-graph.js";

/** What an expression can be. */
export type FValue = Tensor | readonly FValue[] | Closure | Primitive | GradientEnv | typeof ZERO;

/** A function with the values around it. */
class Closure {
  constructor(
    readonly graph: FuncGraph,
    readonly around: Frame | null,
  ) {}
}

/** Gradients of free variables. */
class GradientEnv {
  constructor(readonly entries: ReadonlyMap<ANode, FValue>) {}
}

/** The values of one call. */
class Frame {
  readonly values = new Map<ANode, FValue>();
  constructor(
    readonly graph: FuncGraph,
    readonly around: Frame | null,
  ) {}
}

/**
 * What a function returns: a tensor, or a tuple as an array.
 * @throws IRError for a wrong number of arguments.
 * @example ir.functional.evaluate(ir.functional.fromGraph(capture((x: Tensor) => x.mul(2), tensor([1]))), [tensor([4])]) // [8]
 */
export function evaluate(graph: FuncGraph, args: readonly Tensor[]): FValue {
  return apply(new Closure(graph, null), args);
}

function apply(f: FValue, args: readonly FValue[]): FValue {
  let [callee, given] = [f, args];
  for (;;) {
    if (!(callee instanceof Closure)) return applyPrimitive(callee as Primitive, given);
    const { graph, around } = callee;
    if (given.length !== graph.parameters.length)
      throw new IRError(
        `function ${graph.name}: ${graph.parameters.length} argument(s) expected, ${given.length} given`,
      );
    const frame = new Frame(graph, around);
    graph.parameters.forEach((parameter, i) => {
      frame.values.set(parameter, given[i]);
    });
    const { output } = graph;
    for (const node of callsOf(graph)) {
      if (node === output) break; // a call in the last place needs no frame of its own: loops don't pile up
      const [head, ...rest] = node.inputs.map((input) => evaluateNode(input, frame));
      frame.values.set(node, apply(head, rest));
    }
    if (output.kind !== "call" || output.owner !== graph) return evaluateNode(output, frame);
    [callee, ...given] = output.inputs.map((input) => evaluateNode(input, frame)) as [FValue, ...FValue[]];
  }
}

function evaluateNode(node: ANode, frame: Frame): FValue {
  if (node.kind === "value") {
    if (!(node.value instanceof FuncGraph)) return node.value;
    return new Closure(node.value, frameFor(node.value, frame));
  }
  for (let at: Frame | null = frame; at; at = at.around) {
    const found = at.values.get(node);
    if (found !== undefined) return found;
  }
  throw new IRError(`a value of function ${node.owner.name} is read outside of it`);
}

/** The innermost frame that a function reads from; keeping only that one alive lets loops forget their past. */
function frameFor(graph: FuncGraph, frame: Frame): Frame | null {
  const owners = new Set(freeVariables(graph).map(({ owner }) => owner));
  let at: Frame | null = frame;
  while (at && !owners.has(at.graph)) at = at.around;
  return at;
}

function applyPrimitive(primitive: Primitive, args: readonly FValue[]): FValue {
  switch (primitive.kind) {
    case "op": {
      const outputs = bind(primitive.op, args as Tensor[], primitive.attrs);
      return primitive.results === 1 ? outputs[0] : outputs.slice(0, primitive.results);
    }
    case "makeTuple":
      return args;
    case "getItem":
      return args[0] === ZERO ? ZERO : ((args[0] as readonly FValue[])[primitive.index] ?? ZERO);
    case "inject": {
      const tuple: FValue[] = new Array<FValue>(primitive.index).fill(ZERO);
      return [...tuple, args[0]];
    }
    case "switch":
      return needConcrete(args[0] as Tensor, "switch").item() !== 0 ? args[1] : args[2];
    case "gradAdd":
      return addGradients(args[0], args[1]);
    case "fill":
      return filled(args[0], args[1]);
    case "onesLike": {
      const like = args[0] as Tensor;
      return asTensor(1, like.dtype).broadcastTo(like.shape);
    }
    case "envNew":
      return ZERO;
    case "envSet": {
      const before = args[0] instanceof GradientEnv ? args[0].entries : [];
      return new GradientEnv(new Map<ANode, FValue>([...before, [primitive.key, args[1]]]));
    }
    case "envGet":
      return args[0] instanceof GradientEnv ? (args[0].entries.get(primitive.key) ?? ZERO) : ZERO;
  }
}

/** Sums of tensors, of tuples entry by entry, of environments variable by variable. */
function addGradients(a: FValue, b: FValue): FValue {
  if (a === ZERO) return b;
  if (b === ZERO) return a;
  if (a instanceof Tensor && b instanceof Tensor) return a.add(b);
  if (Array.isArray(a) && Array.isArray(b)) {
    const [x, y] = [a as FValue[], b as FValue[]];
    return Array.from({ length: Math.max(x.length, y.length) }, (_, i) =>
      addGradients(x[i] ?? ZERO, y[i] ?? ZERO),
    );
  }
  if (a instanceof GradientEnv && b instanceof GradientEnv) {
    const sum = new Map(a.entries);
    for (const [key, value] of b.entries) sum.set(key, addGradients(sum.get(key) ?? ZERO, value));
    return new GradientEnv(sum);
  }
  throw new IRError(`gradients of different kinds meet: ${describe(a)} and ${describe(b)}`);
}

/** The gradient with tensors of zeros in the place of symbolic ones. */
function filled(gradient: FValue, like: FValue): FValue {
  if (Array.isArray(like))
    return (like as FValue[]).map((entry, i) =>
      filled(gradient === ZERO ? ZERO : ((gradient as FValue[])[i] ?? ZERO), entry),
    );
  return gradient === ZERO && like instanceof Tensor ? zerosOf(like) : gradient;
}

function describe(value: FValue): string {
  if (value instanceof Tensor) return formatType(value);
  return Array.isArray(value) ? "a tuple" : value instanceof GradientEnv ? "an environment" : "a function";
}
