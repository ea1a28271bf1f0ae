/**
 * Define, then run: a graph is written with placeholders and variables, and a session runs parts of it, fed with values.
 * (Book, chapter 3: generation of static graphs; TensorFlow 1's model of execution.)
 */
import type { DType } from "../core/dtype.js";
import { MlsysError, ShapeError, ValueError } from "../core/errors.js";
import { formatType, type Shape, sameShape } from "../core/shape.js";
import type { Tensor } from "../core/tensor.js";
import { walkGraphBack } from "../ir/derive.js";
import type { Graph, Value } from "../ir/graph.js";
import { eliminateDeadCode } from "../ir/passes/dce.js";
import { type GraphTrace, GraphTracer, withGraphTrace } from "../ir/trace.js";
import { asTensor, type TensorLike } from "../ops/convert.js";
import { full } from "../ops/create.js";
import { tidy } from "../ops/tidy.js";
import { DenseTensor } from "../runtime/dense.js";
import { type CompileOptions, compile } from "./execute.js";

/** What a definition can use. */
export interface Definition {
  /** A value that is fed at each run. Default dtype float32. */
  placeholder(name: string, shape: Shape, dtype?: DType): Tensor;
  /** A value that a session keeps from run to run, after `initialize()` has computed the first one. */
  variable(
    name: string,
    initial: TensorLike | (() => TensorLike),
    type?: { shape: Shape; dtype?: DType },
  ): Tensor;
  /** Names a value, so that it can be fetched. */
  output(name: string, value: Tensor): Tensor;
  /** Nodes that compute the gradients of a scalar with respect to values of this graph. */
  gradients(y: Tensor, of: readonly Tensor[]): Tensor[];
  /** A named update: whoever fetches it has the variables get these values, all at once, after the run. */
  update(name: string, pairs: readonly (readonly [variable: Tensor, value: Tensor])[]): void;
}

interface Kept {
  readonly value: Value;
  readonly initial: () => TensorLike;
}

/** A graph with names for what can be fed, fetched, kept and updated. */
export class DefinedGraph {
  constructor(
    readonly graph: Graph,
    readonly placeholders: ReadonlyMap<string, Value>,
    readonly variables: ReadonlyMap<string, Kept>,
    readonly outputs: ReadonlyMap<string, Value>,
    readonly updates: ReadonlyMap<string, readonly (readonly [variable: string, value: Value])[]>,
  ) {}

  toString(): string {
    return this.graph.toString();
  }
}

/**
 * Writes a graph down without running anything.
 * @example
 * const graph = define(({ placeholder, output }) => {
 *   const x = placeholder("x", [5, 5]);
 *   output("y", x.matmul(x).relu());
 * });
 * const { y } = new Session(graph).run(["y"], { x: eye(5) });
 * @throws ValueError for a name that is used twice.
 */
export function define(body: (definition: Definition) => void, name = "main"): DefinedGraph {
  const taken = new Set<string>();
  const claim = (label: string): void => {
    if (taken.has(label)) throw new ValueError(`define: the name "${label}" is used twice`);
    taken.add(label);
  };
  const placeholders = new Map<string, Value>();
  const variables = new Map<string, Kept>();
  const outputs = new Map<string, Value>();
  const updates = new Map<string, (readonly [string, Value])[]>();
  const staged = withGraphTrace(name, (trace) => {
    const results: Tensor[] = [];
    const keep = (value: Tensor): Value => {
      results.push(value);
      return trace.lift(value);
    };
    body({
      placeholder(label, shape, dtype = "float32") {
        claim(label);
        const tracer = trace.param({ shape, dtype }, label);
        placeholders.set(label, tracer.value);
        return tracer;
      },
      variable(label, initial, type) {
        claim(label);
        const made = typeof initial === "function" ? null : asTensor(initial);
        if (!made && !type)
          throw new ValueError(
            `define: the variable "${label}" is initialized by a function; give its shape as well`,
          );
        const known = { shape: type?.shape ?? made!.shape, dtype: type?.dtype ?? made?.dtype ?? "float32" };
        const tracer = trace.param(known, label);
        variables.set(label, {
          value: tracer.value,
          initial: typeof initial === "function" ? initial : () => made as Tensor,
        });
        return tracer;
      },
      output(label, value) {
        claim(label);
        outputs.set(label, keep(value));
        return value;
      },
      gradients(y, of) {
        if (y.size !== 1) throw new ShapeError(`gradients: a scalar wanted, got ${formatType(y)}`);
        const wanted = of.map((x) => trace.lift(x));
        const found = walkGraphBack(
          trace.history,
          [[trace.lift(y), full(y.shape, 1, { dtype: y.dtype })]],
          wanted,
        );
        return found.map((g, i) => g ?? full(of[i].shape, 0, { dtype: of[i].dtype }));
      },
      update(label, pairs) {
        claim(label);
        updates.set(
          label,
          pairs.map(([variable, value]) => [nameOf(variable, variables, trace), keep(value)] as const),
        );
      },
    });
    return results;
  });
  return new DefinedGraph(staged.graph, placeholders, variables, outputs, updates);
}

function nameOf(variable: Tensor, variables: ReadonlyMap<string, Kept>, trace: GraphTrace): string {
  for (const [name, { value }] of variables)
    if (variable instanceof GraphTracer && variable.trace === trace && variable.value === value) return name;
  throw new ValueError(`define: update changes a ${formatType(variable)} that is no variable of this graph`);
}

/** Values of a graph's variables, and the runs over them. */
export class Session {
  private readonly state = new Map<string, DenseTensor>();
  private readonly parts = new Map<string, Graph>();

  constructor(
    readonly defined: DefinedGraph,
    private readonly options: CompileOptions = {},
  ) {}

  /** Gives every variable its first value. */
  initialize(): void {
    for (const [name, { value, initial }] of this.defined.variables) {
      const first = tidy(() => asTensor(initial(), value.dtype));
      if (
        !(first instanceof DenseTensor) ||
        first.dtype !== value.dtype ||
        !sameShape(first.shape, value.shape)
      )
        throw new ValueError(
          `initialize: the variable "${name}" is ${formatType(value)}, its first value ${formatType(first)}`,
        );
      this.keep(name, first);
    }
  }

  /** A variable's present value. */
  value(name: string): Tensor {
    if (!this.defined.variables.has(name))
      throw new ValueError(
        `session: there is no variable "${name}"; ${listOf("variables", this.defined.variables)}`,
      );
    return this.stateOf(name);
  }

  /**
   * Computes what is fetched, and nothing that it does not need, from what is fed.
   * @param fetches names of outputs and updates
   * @param feeds values by the names of placeholders
   * @throws MlsysError for an unknown name, a placeholder that is needed but not fed, or a variable before `initialize()`.
   */
  run(fetches: readonly string[], feeds: Readonly<Record<string, TensorLike>> = {}): Record<string, Tensor> {
    const { defined } = this;
    for (const name of Object.keys(feeds))
      if (!defined.placeholders.has(name))
        throw new ValueError(
          `session: there is no placeholder "${name}"; ${listOf("placeholders", defined.placeholders)}`,
        );
    const outputs = fetches.filter((name) => !defined.updates.has(name));
    for (const name of outputs)
      if (!defined.outputs.has(name))
        throw new ValueError(
          `session: "${name}" cannot be fetched; ${listOf("outputs", defined.outputs)}, ${listOf("updates", defined.updates)}`,
        );
    const changes = fetches.flatMap((name) => defined.updates.get(name) ?? []);
    const part = this.partFor(fetches, [
      ...outputs.map((name) => defined.outputs.get(name) as Value),
      ...changes.map(([, value]) => value),
    ]);
    const results = tidy(() =>
      compile(part, this.options).run(part.params.map((param) => this.argument(param, feeds))),
    );
    changes.forEach(([name], i) => {
      this.keep(name, results[outputs.length + i]);
    });
    return Object.fromEntries(outputs.map((name, i) => [name, results[i]]));
  }

  /** The part of the graph that these results need, with the parameters that it reads. */
  private partFor(fetches: readonly string[], results: readonly Value[]): Graph {
    const key = JSON.stringify(fetches);
    let part = this.parts.get(key);
    if (!part) {
      const { graph } = this.defined;
      const pruned = eliminateDeadCode(graph.with({ results }));
      const read = new Set([...pruned.nodes.flatMap((node) => node.inputs), ...results]);
      part = pruned.with({ params: graph.params.filter((param) => read.has(param)) });
      this.parts.set(key, part);
    }
    return part;
  }

  private argument(param: Value, feeds: Readonly<Record<string, TensorLike>>): Tensor {
    const name = param.name as string;
    if (this.defined.variables.has(name)) return this.stateOf(name);
    if (!Object.hasOwn(feeds, name))
      throw new MlsysError(`session: the placeholder "${name}", ${formatType(param)}, is needed but not fed`);
    return asTensor(feeds[name], param.dtype);
  }

  private stateOf(name: string): DenseTensor {
    const value = this.state.get(name);
    if (!value)
      throw new MlsysError(`session: the variable "${name}" has no value yet; call initialize() first`);
    return value;
  }

  private keep(name: string, value: DenseTensor): void {
    const own = value.retained();
    own.collectable();
    value.dispose();
    this.state.get(name)?.dispose();
    this.state.set(name, own);
  }
}

const listOf = (what: string, names: ReadonlyMap<string, unknown>): string =>
  names.size === 0 ? `there are no ${what}` : `${what} are ${[...names.keys()].join(", ")}`;
