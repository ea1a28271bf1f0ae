/**
 * The trace that writes a graph down: it runs a function on placeholders, and each op that meets one becomes a node.
 * What the function reads from around it becomes a constant (tensors with memory) or an extra parameter (variables and
 * values of transformations outside).
 */
import type { DType } from "../core/dtype.js";
import { TransformError } from "../core/errors.js";
import { formatType, type Shape, type TensorType } from "../core/shape.js";
import { Tensor } from "../core/tensor.js";
import { bind, type Trace, withLevel, withStaging } from "../ops/bind.js";
import { concrete } from "../ops/read.js";
import { type Attrs, getOp, type OpDef } from "../ops/registry.js";
import { DenseTensor, viewOf } from "../runtime/dense.js";
import { getDevice } from "../runtime/devices.js";
import { outsideScopes } from "../runtime/tidy.js";
import { GraphBuilder } from "./builder.js";
import type { Graph, GraphNode, Value } from "./graph.js";
import { callerLocation } from "./location.js";

/** A node with what its values are in one run. */
export interface Step {
  readonly node: GraphNode;
  /** Those it ran with: with residuals, where a walk back is to come. */
  readonly attrs: Attrs;
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
}

/** Stands for a value of the graph that is being written. */
export class GraphTracer extends Tensor {
  readonly device = getDevice();

  constructor(
    readonly trace: GraphTrace,
    readonly value: Value,
    /** The example's value, where the function runs on example data. */
    readonly example: Tensor | null,
  ) {
    super();
  }

  get shape(): Shape {
    return this.value.shape;
  }

  get dtype(): DType {
    return this.value.dtype;
  }

  override peel(): Tensor | null {
    if (this.example !== null) this.trace.noticeRead(this);
    return this.example;
  }
}

export interface TraceOptions {
  /** Write down the user's lines. Default true. */
  readonly locations?: boolean;
  /** Called when the function reads elements of an example: what it does with them is lost to the graph. */
  readonly onRead?: (value: Value, loc: string | null) => void;
  /** What stands for a value from around the function, if something else does (a variable that was assigned to). */
  readonly resolve?: (x: Tensor) => Tensor;
}

let open = 0;

/** True while a graph is being written down. */
export function isTracing(): boolean {
  return open > 0;
}

export class GraphTrace implements Trace {
  readonly name = "capture";
  active = true;
  readonly builder: GraphBuilder;
  /** What was applied so far, for walking back while the graph is still being written. */
  readonly history: Step[] = [];
  private readonly outside = new Map<Tensor, GraphTracer>();

  constructor(
    readonly level: number,
    name: string,
    private readonly options: TraceOptions = {},
  ) {
    this.builder = new GraphBuilder(name);
  }

  /** A new parameter. */
  param(type: TensorType, name: string | null, example: Tensor | null = null): GraphTracer {
    return new GraphTracer(this, this.builder.param(type, name), example);
  }

  /** The values that extra parameters stand for, in order. */
  get captured(): Tensor[] {
    return [...this.outside.keys()];
  }

  process(op: OpDef, inputs: readonly Tensor[], attrs: Attrs): Tensor[] {
    if (op.composite && op.kind !== "control") return [...op.composite(inputs, attrs)];
    const loc = this.options.locations === false ? null : callerLocation();
    const given = inputs.map((x) => this.present(x));
    const values = given.map((x) => this.lift(x));
    const outputs = this.builder.node(op, values, attrs, loc);
    const examples = this.examples(op, given, attrs);
    const tracers = outputs.map((value, i) => new GraphTracer(this, value, examples?.[i] ?? null));
    this.history.push({ node: this.builder.last(), attrs, inputs: given, outputs: tracers });
    return tracers;
  }

  /** The graph's value for a tensor of any kind. */
  lift(x: Tensor): Value {
    if (x instanceof GraphTracer && x.trace === this) return x.value;
    if (x instanceof DenseTensor) return isSplat(x) ? this.splat(x) : this.builder.constant(x);
    return this.lift(this.present(x));
  }

  /** The tensor itself if it has memory or belongs to this graph, else what stands for it. */
  private present(x: Tensor): Tensor {
    if (x instanceof DenseTensor || x.trace === this) return x;
    const known = this.options.resolve?.(x) ?? x;
    return known === x ? this.fromOutside(x) : this.present(known);
  }

  /** One element and its repetition, instead of a constant of the full size. */
  private splat(x: DenseTensor): Value {
    const one = outsideScopes(() => viewOf(x, { shape: [], strides: [], offset: x.offset }));
    return this.builder.node(getOp("broadcastTo"), [this.builder.constant(one)], { shape: x.shape })[0];
  }

  /** The extra parameter for a value from around the function. */
  fromOutside(x: Tensor): GraphTracer {
    let tracer = this.outside.get(x);
    if (!tracer) {
      const name = (x as { name?: unknown }).name;
      tracer = this.param(x, typeof name === "string" && name !== "" ? name : null, this.exampleOf(x));
      this.outside.set(x, tracer);
    }
    return tracer;
  }

  /** The function has read elements of an example. */
  noticeRead(tracer: GraphTracer): void {
    this.options.onRead?.(tracer.value, callerLocation());
  }

  private exampleOf(x: Tensor): Tensor | null {
    return this.options.onRead ? (concrete(x) ?? x) : null;
  }

  private examples(op: OpDef, inputs: readonly Tensor[], attrs: Attrs): Tensor[] | null {
    if (!this.options.onRead) return null;
    const examples = inputs.map((x) =>
      x instanceof GraphTracer && x.trace === this ? x.example : this.exampleOf(x),
    );
    if (examples.some((x) => x === null)) return null;
    return bind(op, examples as Tensor[], attrs);
  }
}

/** True for a tensor that repeats one element. */
function isSplat(x: DenseTensor): boolean {
  return x.size > 1 && x.shape.every((dim, i) => dim === 1 || x.strides[i] === 0);
}

/** A graph, and the outer values that its last parameters stand for. */
export interface Staged {
  readonly graph: Graph;
  readonly captured: readonly Tensor[];
}

/**
 * Runs `body` with a new trace and ends it.
 * @param body makes the parameters, runs the function, and returns its results.
 */
export function withGraphTrace(
  name: string,
  body: (trace: GraphTrace) => readonly Tensor[],
  options: TraceOptions = {},
): Staged {
  return withLevel((level) => {
    const trace = new GraphTrace(level, name, options);
    open++;
    try {
      const results = withStaging(trace, () => body(trace)).map((y, i) => {
        const from = y.trace as Trace | null;
        if (from !== null && !from.active)
          throw new TransformError(
            `${name}: result ${i}, a ${formatType(y)}, was made inside a ${from.name} that has already returned`,
          );
        return trace.lift(y);
      });
      const captured = trace.captured;
      return { graph: trace.builder.finish(results, { captured }), captured };
    } finally {
      open--;
      trace.active = false;
    }
  });
}

/** The graph of a function of tensors of these types. */
export function stage(
  name: string,
  types: readonly TensorType[],
  f: (inputs: readonly Tensor[]) => readonly Tensor[],
  options: TraceOptions = {},
): Staged {
  return withGraphTrace(
    name,
    (trace) => f(types.map((type) => trace.param(type, (type as Partial<Value>).name ?? null))),
    options,
  );
}
