/**
 * Types and shapes by abstract interpretation: a function runs on abstract values; calls of it with the same signature are
 * inferred once (specialization), recursive calls until nothing changes, and where control flow meets what holds on both
 * sides is kept. Constants are computed on the way. (Book, chapter 4: static analysis; Cousot and Cousot 1977.)
 */
import { displaySymbol, escapeHtml, type MimeBundle } from "../../core/display.js";
import { ShapeError } from "../../core/errors.js";
import { sizeOf, type TensorType } from "../../core/shape.js";
import { DenseTensor, readElements } from "../../runtime/dense.js";
import { type Graph, IRError } from "../graph.js";
import { evaluateByReference } from "../passes/fold.js";
import {
  type Abstract,
  AbstractFrame,
  type AbstractFunction,
  BOTTOM,
  broadened,
  formatAbstract,
  join,
  KNOWN_SIZE,
  tensorOf,
} from "./abstract.js";
import { fromGraph } from "./convert.js";
import {
  type ANode,
  type CNode,
  callsOf,
  FuncGraph,
  freeVariables,
  type Primitive,
  ZERO,
} from "./func-graph.js";

/** Types that do not fit, with the op, its operands and the user's line. */
export class InferenceError extends IRError {
  override name = "InferenceError";
}

/** A function at one signature. */
export interface Specialization {
  readonly graph: FuncGraph;
  /** Arguments, then what it reads around it. */
  readonly signature: string;
  readonly result: Abstract;
  /** Calls that found it in the cache. */
  readonly hits: number;
  /** What each of its calls gives. */
  readonly values: ReadonlyMap<ANode, Abstract>;
}

/** What was inferred; in notebooks a table of the functions at each of their signatures. */
export class TypeInference {
  constructor(
    readonly result: Abstract,
    /** In the order in which they were met. */
    readonly specializations: readonly Specialization[],
  ) {}

  toString(): string {
    const lines = this.specializations.map(
      ({ graph, signature, result, hits }) =>
        `${graph.name}(${signature}) -> ${formatAbstract(result)}${hits > 0 ? `, met again ${hits} time(s)` : ""}`,
    );
    return lines.join("\n");
  }

  [displaySymbol](): MimeBundle {
    const cell = (text: string): string =>
      `<td style="text-align: left"><code>${escapeHtml(text)}</code></td>`;
    const rows = this.specializations.map(
      ({ graph, signature, result, hits }) =>
        `<tr>${cell(graph.name)}${cell(signature)}${cell(formatAbstract(result))}<td>${hits}</td></tr>`,
    );
    const head = "<tr><th>function</th><th>signature</th><th>result</th><th>cache hits</th></tr>";
    return { "text/html": `<table>${head}${rows.join("")}</table>`, "text/plain": this.toString() };
  }
}

interface Entry extends Specialization {
  result: Abstract;
  hits: number;
  values: ReadonlyMap<ANode, Abstract>;
  /** Being inferred; and somebody has read the result meanwhile. */
  active: boolean;
  awaited: boolean;
}

/** Recursive functions of a type settle in a few rounds. */
const MAX_ROUNDS = 20;

class Analysis {
  readonly cache = new Map<FuncGraph, Map<string, Entry>>();
  readonly order: Entry[] = [];
  private readonly regions = new WeakMap<Graph, FuncGraph>();

  call(f: AbstractFunction, args: readonly Abstract[], node: CNode | null): Abstract {
    return "graph" in f
      ? this.callGraph(f.graph, f.around, args, node)
      : this.callPrimitive(f.primitive, args, node);
  }

  private callGraph(
    graph: FuncGraph,
    around: AbstractFrame | null,
    given: readonly Abstract[],
    node: CNode | null,
  ): Abstract {
    if (given.length !== graph.parameters.length)
      throw new InferenceError(
        `${placeOf(node)}function ${graph.name} takes ${graph.parameters.length} argument(s), ${given.length} given`,
      );
    const known = this.cache.get(graph) ?? new Map<string, Entry>();
    this.cache.set(graph, known);
    // a recursive call forgets constants: a counter would otherwise have a signature for each of its values
    const recursive = [...known.values()].some(({ active }) => active);
    const args = recursive ? given.map(broadened) : given;
    const signature = signatureOf(graph, around, args);
    const seen = known.get(signature);
    if (seen) {
      seen.hits++;
      if (seen.active) seen.awaited = true;
      return seen.result;
    }
    const entry: Entry = {
      ...{ graph, signature, result: BOTTOM, hits: 0, values: new Map() },
      ...{ active: true, awaited: false },
    };
    known.set(signature, entry);
    this.order.push(entry);
    try {
      for (let [before, round] = ["", 0]; ; round++) {
        if (round > MAX_ROUNDS)
          throw new InferenceError(
            `${placeOf(node)}function ${graph.name} has another type each time it calls itself: ${before}`,
          );
        entry.awaited = false;
        const frame = new AbstractFrame(graph, around);
        graph.parameters.forEach((parameter, i) => {
          frame.values.set(parameter, args[i]);
        });
        entry.result = this.met(entry.result, this.run(graph, frame), node, `function ${graph.name}`);
        entry.values = frame.values;
        const now = formatAbstract(entry.result);
        if (!entry.awaited || now === before) return entry.result;
        before = now;
        this.forgetDependents(entry);
      }
    } catch (error) {
      known.delete(signature);
      throw error;
    } finally {
      entry.active = false;
    }
  }

  /** Results found while this one was not known are inferred again. */
  private forgetDependents(entry: Entry): void {
    const from = this.order.indexOf(entry) + 1;
    for (const later of this.order.splice(from)) this.cache.get(later.graph)?.delete(later.signature);
  }

  private run(graph: FuncGraph, frame: AbstractFrame): Abstract {
    for (const node of callsOf(graph)) {
      const [f, ...args] = node.inputs.map((input) => this.read(input, frame));
      if (f.kind === "bottom") frame.values.set(node, BOTTOM);
      else if (f.kind !== "function")
        throw new InferenceError(`${placeOf(node)}a ${formatAbstract(f)} is called; only functions can be`);
      else
        frame.values.set(
          node,
          f.options
            .map((option) => this.call(option, args, node))
            .reduce((a, b) => this.met(a, b, node, `the branches ${formatAbstract(f)}`)),
        );
    }
    return this.read(graph.output, frame);
  }

  private met(a: Abstract, b: Abstract, node: CNode | null, what: string): Abstract {
    const both = join(a, b);
    if (both) return both;
    throw new InferenceError(
      `${placeOf(node)}${what} return ${formatAbstract(broadened(a))} and ${formatAbstract(broadened(b))}; both must have one type`,
    );
  }

  private read(node: ANode, frame: AbstractFrame): Abstract {
    if (node.kind !== "value") return lookup(node, frame);
    const { value } = node;
    if (value instanceof FuncGraph) return { kind: "function", options: [{ graph: value, around: frame }] };
    if (value instanceof DenseTensor) return tensorOf(value, value.size <= KNOWN_SIZE ? value : null);
    if (value === ZERO) return BOTTOM;
    return { kind: "function", options: [{ primitive: value }] };
  }

  private callPrimitive(primitive: Primitive, args: readonly Abstract[], node: CNode | null): Abstract {
    if (args.some(({ kind }) => kind === "bottom") && primitive.kind !== "makeTuple") return BOTTOM;
    switch (primitive.kind) {
      case "op":
        return this.callOp(primitive, args, node);
      case "makeTuple":
        return { kind: "tuple", entries: args };
      case "getItem": {
        const [tuple] = args;
        if (tuple.kind === "tuple" && primitive.index < tuple.entries.length)
          return tuple.entries[primitive.index];
        throw new InferenceError(
          `${placeOf(node)}a ${formatAbstract(tuple)} has no entry ${primitive.index}`,
        );
      }
      case "switch": {
        const [predicate, then, otherwise] = args;
        if (predicate.kind === "tensor" && predicate.value)
          return predicate.value.item() !== 0 ? then : otherwise;
        return this.met(then, otherwise, node, "the branches of switch");
      }
      case "onesLike":
        return broadened(args[0]);
      default:
        throw new InferenceError(
          `${placeOf(node)}${primitive.kind} belongs to gradients, which are inferred with their values`,
        );
    }
  }

  private callOp(
    { op, attrs, results }: Extract<Primitive, { kind: "op" }>,
    args: readonly Abstract[],
    node: CNode | null,
  ): Abstract {
    const tensors = args.map((arg, i) => {
      if (arg.kind === "tensor") return arg;
      throw new InferenceError(
        `${placeOf(node)}${op.name}: operand ${i} is ${formatAbstract(arg)}, a tensor was expected`,
      );
    });
    const types = tensors.map(({ type }) => type);
    const values = tensors.map(({ value }) => value).filter((value) => value !== null);
    let outputs: readonly Abstract[];
    try {
      const inner = REGION_TYPES[op.name];
      if (inner) outputs = inner(attrs, tensors, (region, given) => this.region(region, given, node));
      else {
        const found = op.type(types, attrs);
        const fold =
          values.length === tensors.length &&
          values.length > 0 &&
          !op.composite &&
          op.kind !== "random" &&
          found.every(({ shape }) => sizeOf(shape) <= KNOWN_SIZE);
        const data = fold ? evaluateByReference(op, values, attrs) : null;
        outputs = found.map((type, i) => tensorOf(type, data?.[i] ?? null));
      }
    } catch (error) {
      if (error instanceof InferenceError || !(error instanceof Error)) throw error;
      const operands = types.map((type, i) => `${i}: ${formatAbstract(tensorOf(type))}`).join(", ");
      throw new InferenceError(`${placeOf(node)}${op.name} of operands ${operands}: ${error.message}`);
    }
    return results === 1 ? outputs[0] : { kind: "tuple", entries: outputs.slice(0, results) };
  }

  /** Results of a closed graph on abstract operands, through the same cache. */
  private region(graph: Graph, args: readonly Abstract[], node: CNode | null): readonly Abstract[] {
    const f = this.regions.get(graph) ?? fromGraph(graph);
    this.regions.set(graph, f);
    const result = this.callGraph(f, null, args, node);
    return graph.results.length === 1 ? [result] : result.kind === "tuple" ? result.entries : [];
  }
}

type RegionType = (
  attrs: object,
  args: readonly Abstract[],
  infer: (region: Graph, args: readonly Abstract[]) => readonly Abstract[],
) => readonly Abstract[];

const typeOfTensor = (a: Abstract): TensorType => {
  if (a.kind === "tensor") return a.type;
  throw new ShapeError(`${formatAbstract(a)} is no tensor`);
};

/** Ops with regions that stay ops: their regions are inferred at the types of the operands. */
const REGION_TYPES: Readonly<Record<string, RegionType>> = {
  fused: (attrs, args, infer) => infer((attrs as { graph: Graph }).graph, args.map(broadened)),
  scan: (attrs, args, infer) => {
    const { body, constants, carry } = attrs as { body: Graph; constants: number; carry: number };
    const arrays = args.slice(constants + carry).map(typeOfTensor);
    const { length } = attrs as { length: number };
    const wrong = arrays.find(({ shape }) => shape[0] !== length);
    if (wrong)
      throw new ShapeError(
        `${length} entries were expected along axis 0, got ${formatAbstract(tensorOf(wrong))}`,
      );
    const state = args.slice(constants, constants + carry).map(broadened);
    const entries = arrays.map(({ shape, dtype }) => tensorOf({ shape: shape.slice(1), dtype }));
    const results = infer(body, [...args.slice(0, constants), ...state, ...entries]).map(broadened);
    state.forEach((before, i) => {
      if (!join(before, results[i]))
        throw new ShapeError(
          `the state is ${formatAbstract(before)}, the body returns ${formatAbstract(results[i])}`,
        );
    });
    const stacked = results.slice(carry).map((y) => {
      const { shape, dtype } = typeOfTensor(y);
      return tensorOf({ shape: [length, ...shape], dtype });
    });
    return [...results.slice(0, carry), ...stacked];
  },
};

function lookup(node: ANode, frame: AbstractFrame): Abstract {
  for (let at: AbstractFrame | null = frame; at; at = at.around) {
    const found = at.values.get(node);
    if (found) return found;
  }
  throw new InferenceError("a value is read outside of the function that computes it");
}

function signatureOf(graph: FuncGraph, around: AbstractFrame | null, args: readonly Abstract[]): string {
  const free = around ? freeVariables(graph).map((node) => lookup(node, around)) : [];
  const text = args.map(keyOf).join(", ");
  return free.length > 0 ? `${text} | ${free.map(keyOf).join(", ")}` : text;
}

/** As `formatAbstract`, with -0 told from 0. */
function keyOf(a: Abstract): string {
  const negative =
    a.kind === "tensor" && a.value && Array.from(readElements(a.value)).some((x) => Object.is(x, -0));
  return negative ? `${formatAbstract(a)} (-0)` : formatAbstract(a);
}

const placeOf = (node: CNode | null): string => (node?.loc ? `${node.loc}: ` : "");

/**
 * What a function returns for arguments of these types; a tensor with memory is a constant of the inference.
 * @throws InferenceError naming the op, the operands with their types, and the line that called it.
 * @example
 * const f = ir.functional.fromGraph(capture((x: Tensor) => x.matmul(x).sum(), zeros([2, 2])));
 * ir.functional.formatAbstract(ir.functional.inferTypes(f, [{ dtype: "float64", shape: [5, 5] }]).result) // "float64()"
 */
export function inferTypes(f: FuncGraph, args: readonly TensorType[]): TypeInference {
  const analysis = new Analysis();
  const given = args.map((arg) => {
    const known = arg instanceof DenseTensor && arg.size <= KNOWN_SIZE ? arg : null;
    return tensorOf(arg, known);
  });
  const result = analysis.call({ graph: f, around: null }, given, null);
  return new TypeInference(result, analysis.order);
}
