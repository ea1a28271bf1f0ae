/**
 * Reverse mode by closures, as MindSpore does it: J takes each function f to ▶f, which returns the result of f and a
 * function, its bprop, from the gradient of the result to those of the free variables and of the arguments. What bprop
 * needs of the forward run it reads as free variables: closures are the tape. J's result is a function of the same form,
 * so J applies to it again. (Book, chapter 4; Pearlmutter and Siskind 2008, "Reverse-mode AD in a functional framework".)
 */
import { isFloat } from "../../core/dtype.js";
import { NOT_DIFFERENTIABLE } from "../../ops/registry.js";
import { filled } from "../call.js";
import { IRError } from "../graph.js";
import { stage } from "../trace.js";
import { fromGraph, getItem, MAKE_TUPLE } from "./convert.js";
import {
  type ANode,
  type CNode,
  callsOf,
  FuncGraph,
  freeVariables,
  type ParameterNode,
  type Primitive,
  ValueNode,
  ZERO,
} from "./func-graph.js";

const zero = (): ANode => new ValueNode(ZERO);

/** The two halves of ▶f: `fprop` returns (result, bprop); `bprop(gradient)` returns (environment, gradients…). */
interface KGraph {
  readonly fprop: FuncGraph;
  readonly bprop: FuncGraph;
}

/** One application of J; functions and primitives are transformed once, so that recursive ones end. */
class Grad {
  private readonly graphs = new Map<FuncGraph, KGraph>();
  private readonly nodes = new Map<ANode, ANode>();
  private readonly primitives = new Map<Primitive, Map<number, FuncGraph>>();
  private readonly done = new Set<FuncGraph>();

  /** ▶f. */
  transform(f: FuncGraph): FuncGraph {
    const k = this.mapObject(f);
    if (this.done.has(f)) return k.fprop;
    this.done.add(f);
    this.mapMorphism(f, k);
    return k.fprop;
  }

  /** The function's place and its parameters, before what is in it. */
  private mapObject(f: FuncGraph): KGraph {
    const known = this.graphs.get(f);
    if (known) return known;
    const made = { fprop: new FuncGraph(`▶${f.name}`), bprop: new FuncGraph(`◀${f.name}`) };
    for (const parameter of f.parameters) this.nodes.set(parameter, made.fprop.parameter(parameter.name));
    this.graphs.set(f, made);
    return made;
  }

  /** The calls: forward in order in ▶f, then backward from the result in ◀f. */
  private mapMorphism(f: FuncGraph, { fprop, bprop }: KGraph): void {
    const calls = callsOf(f);
    const applied = new Map<CNode, CNode>();
    for (const node of calls) {
      const [head, ...args] = node.inputs;
      const given = args.map((x) => this.map(x, 0));
      const application = fprop.call(this.map(head, args.length), given, node.loc);
      applied.set(node, application);
      this.nodes.set(node, fprop.call(getItem(0), [application]));
    }
    const gradient = bprop.parameter("dout");
    const sens = new Map<ANode, ANode>();
    const send = (to: ANode, g: ANode): void => {
      if (to.kind === "value") {
        // the gradient of a function is that of the variables that it read
        if (to.value instanceof FuncGraph)
          for (const variable of freeVariables(to.value))
            send(variable, bprop.call({ kind: "envGet", key: variable }, [g]));
        return;
      }
      const before = sens.get(to);
      sens.set(to, before ? bprop.call({ kind: "gradAdd" }, [before, g]) : g);
    };
    send(f.output, gradient);
    for (const node of [...calls].reverse()) {
      const arrived = sens.get(node);
      if (!arrived) continue;
      const back = fprop.call(getItem(1), [applied.get(node) as CNode]);
      const sent = bprop.call(back, [arrived], node.loc);
      node.inputs.forEach((input, i) => {
        send(input, bprop.call(getItem(i), [sent]));
      });
    }
    let env: ANode = bprop.call({ kind: "envNew" }, []);
    for (const variable of freeVariables(f)) {
      const g = sens.get(variable);
      if (g) env = bprop.call({ kind: "envSet", key: variable }, [env, g]);
    }
    const own = f.parameters.map((parameter: ParameterNode) => sens.get(parameter) ?? zero());
    bprop.returns(bprop.call(MAKE_TUPLE, [env, ...own]));
    fprop.returns(fprop.call(MAKE_TUPLE, [this.map(f.output), new ValueNode(bprop)]));
  }

  /** What stands for a node in the transformed functions. */
  private map(node: ANode, count = 0): ANode {
    const known = this.nodes.get(node);
    if (known) return known;
    if (node.kind !== "value")
      throw new IRError(
        `J: function ${node.owner.name}, around the one to be differentiated, was not transformed`,
      );
    const { value } = node;
    if (value instanceof FuncGraph) return new ValueNode(this.transform(value));
    if (typeof value === "object" && "kind" in value && !("storage" in value))
      return new ValueNode(this.primitive(value as Primitive, count));
    return node;
  }

  /** ▶ of a built-in function that is called with `count` arguments. */
  private primitive(primitive: Primitive, count: number): FuncGraph {
    const known = this.primitives.get(primitive) ?? new Map<number, FuncGraph>();
    this.primitives.set(primitive, known);
    const made =
      known.get(count) ?? (primitive.kind === "op" ? opFprop(primitive) : builtinFprop(primitive, count));
    known.set(count, made);
    return made;
  }
}

type OpPrimitive = Extract<Primitive, { kind: "op" }>;

/** ▶op: the op, and the reverse rule of its registry entry as a function that reads inputs and outputs around it. */
function opFprop(primitive: OpPrimitive): FuncGraph {
  const { op, attrs, types, results } = primitive;
  if (!types)
    throw new IRError(
      `J: the types of ${op.name} are not known; differentiate a function made from a typed graph`,
    );
  const fprop = new FuncGraph(`▶${op.name}`);
  const bprop = new FuncGraph(`◀${op.name}`);
  const inputs = types.inputs.map(() => fprop.parameter());
  // ops with graphs inside return behind their results what their reverse rule reads
  const wide = op.residuals?.(attrs) ?? attrs;
  const outputTypes = op.type(types.inputs, wide);
  const made: Primitive = {
    ...primitive,
    attrs: wide,
    results: outputTypes.length,
    types: { inputs: types.inputs, outputs: outputTypes },
  };
  const application = fprop.call(made, inputs);
  const dout = bprop.parameter("dout");
  const outputs =
    outputTypes.length === 1
      ? [application]
      : outputTypes.map((_, i) => fprop.call(getItem(i), [application]));
  const y = results === 1 ? outputs[0] : fprop.call(MAKE_TUPLE, outputs.slice(0, results));
  const { vjp } = op;
  if (vjp === NOT_DIFFERENTIABLE) {
    bprop.returns(bprop.call(MAKE_TUPLE, [zero(), ...inputs.map(zero)]));
    return fprop.returns(fprop.call(MAKE_TUPLE, [y, new ValueNode(bprop)]));
  }
  const smooth = types.outputs.flatMap(({ dtype }, i) => (isFloat(dtype) ? [i] : []));
  const needs = types.inputs.map(({ dtype }) => isFloat(dtype));
  const [count, total] = [inputs.length, inputs.length + outputs.length];
  const rule = stage(
    `${op.name}Bprop`,
    [...types.inputs, ...outputTypes, ...smooth.map((i) => types.outputs[i])],
    (given) => {
      const cotangents = outputTypes.map((_, i) =>
        smooth.includes(i) ? given[total + smooth.indexOf(i)] : null,
      );
      const context = { inputs: given.slice(0, count), outputs: given.slice(count, total), needs };
      const known = { inputTypes: types.inputs, outputTypes, attrs: wide as never };
      return filled(vjp(cotangents, { ...context, ...known }), types.inputs);
    },
  ).graph;
  const given = smooth.map((i) => {
    const part = results === 1 ? dout : bprop.call(getItem(i), [dout]);
    return bprop.call({ kind: "fill" }, [part, outputs[i]]);
  });
  const found = bprop.call(fromGraph(rule), [...inputs, ...outputs, ...given]);
  const parts = inputs.map((_, i) => {
    if (!needs[i]) return zero();
    return inputs.length === 1 ? found : bprop.call(getItem(i), [found]);
  });
  bprop.returns(bprop.call(MAKE_TUPLE, [zero(), ...parts]));
  return fprop.returns(fprop.call(MAKE_TUPLE, [y, new ValueNode(bprop)]));
}

/** Gradients of the arguments of a built-in, from that of its result. */
type BuiltinRule = (bprop: FuncGraph, dout: ANode, inputs: readonly ANode[], primitive: Primitive) => ANode[];

const BUILTINS: Readonly<Record<Exclude<Primitive["kind"], "op">, BuiltinRule>> = {
  makeTuple: (b, d, inputs) => inputs.map((_, i) => b.call(getItem(i), [d])),
  getItem: (b, d, _inputs, { index }: Primitive & { index?: number }) => [
    b.call({ kind: "inject", index: index ?? 0 }, [d]),
  ],
  inject: (b, d, _inputs, { index }: Primitive & { index?: number }) => [b.call(getItem(index ?? 0), [d])],
  switch: (b, d, [predicate]) => [
    zero(),
    b.call({ kind: "switch" }, [predicate, d, zero()]),
    b.call({ kind: "switch" }, [predicate, zero(), d]),
  ],
  gradAdd: (_b, d) => [d, d],
  fill: (_b, d) => [d, zero()],
  onesLike: () => [zero()],
  envNew: () => [],
  envSet: (b, d, _inputs, { key }: Primitive & { key?: ANode }) => [
    d,
    b.call({ kind: "envGet", key: key as ANode }, [d]),
  ],
  envGet: (b, d, _inputs, { key }: Primitive & { key?: ANode }) => [
    b.call({ kind: "envSet", key: key as ANode }, [b.call({ kind: "envNew" }, []), d]),
  ],
};

function builtinFprop(primitive: Exclude<Primitive, OpPrimitive>, count: number): FuncGraph {
  const fprop = new FuncGraph(`▶${primitive.kind}`);
  const bprop = new FuncGraph(`◀${primitive.kind}`);
  const inputs = Array.from({ length: count }, () => fprop.parameter());
  const gradients = BUILTINS[primitive.kind](bprop, bprop.parameter("dout"), inputs, primitive);
  bprop.returns(bprop.call(MAKE_TUPLE, [zero(), ...gradients]));
  return fprop.returns(fprop.call(MAKE_TUPLE, [fprop.call(primitive, inputs), new ValueNode(bprop)]));
}

/**
 * ▶f: the function from the same arguments to (result, bprop).
 * @throws IRError if an op's types are not known, or the function reads values of another.
 * @example ir.functional.J(ir.functional.fromGraph(capture((x: Tensor) => x.sin(), tensor([1])))).name // "▶f"
 */
export function J(f: FuncGraph): FuncGraph {
  return new Grad().transform(f);
}

/**
 * From f with one result to the function of its gradients: the sum of the result's elements with respect to the arguments
 * with these numbers (default: all), as a tuple if they are several. It applies to its own results.
 * @example
 * const f = ir.functional.fromGraph(capture((x: Tensor) => x.square(), tensor(3)));
 * ir.functional.evaluate(ir.functional.gradient(ir.functional.gradient(f)), [tensor(3)]) // 2
 */
export function gradient(
  f: FuncGraph,
  argnums: readonly number[] = f.parameters.map((_, i) => i),
): FuncGraph {
  const g = new FuncGraph(`grad_${f.name}`);
  const args = f.parameters.map(({ name }) => g.parameter(name));
  const application = g.call(J(f), args);
  const [result, bprop] = [0, 1].map((i) => g.call(getItem(i), [application]));
  const sent = g.call(bprop, [g.call({ kind: "onesLike" }, [result])]);
  const parts = argnums.map((i) => g.call({ kind: "fill" }, [g.call(getItem(i + 1), [sent]), args[i]]));
  return g.returns(parts.length === 1 ? parts[0] : g.call(MAKE_TUPLE, parts));
}
