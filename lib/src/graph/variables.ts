/**
 * Variables while a graph is written down: a read gives the value that the graph has for them at that point, an
 * assignment changes it, and `backward` is written into the graph, from the graph's own nodes.
 */
import { Deliveries } from "../autodiff/gradient-sink.js";
import { type VariableHost, withVariableHost } from "../autodiff/tape-mode.js";
import { Variable } from "../autodiff/variable.js";
import { TransformError } from "../core/errors.js";
import type { Tensor } from "../core/tensor.js";
import { walkGraphBack } from "../ir/derive.js";
import { type GraphTrace, GraphTracer } from "../ir/trace.js";
import type { Trace } from "../ops/bind.js";
import type { Attrs, OpDef } from "../ops/registry.js";

export class VariableScope implements VariableHost {
  private trace: GraphTrace | null = null;
  private readonly present = new Map<Tensor, Tensor>();
  private readonly assigned = new Set<Variable>();
  /** Gradients that variables had before: put back when the capture ends. */
  private readonly gradients = new Map<Variable, Tensor | null>();

  /** What is to be done before each run. */
  readonly hooks: (() => void)[] = [];

  open(trace: GraphTrace): void {
    this.trace = trace;
  }

  run<T>(body: () => T): T {
    try {
      return withVariableHost(this, body);
    } finally {
      for (const [variable, before] of this.gradients) variable.grad = before;
    }
  }

  /** New values of the variables that were assigned to. */
  finish(): Tensor[] {
    return this.updated.map((variable) => this.read(variable));
  }

  get updated(): Variable[] {
    return [...this.assigned];
  }

  beforeRun(hook: () => void): void {
    this.hooks.push(hook);
  }

  resolve(x: Tensor): Tensor {
    return x instanceof Variable ? this.read(x) : x;
  }

  read(variable: Tensor): Tensor {
    let value = this.present.get(variable);
    if (!value) {
      value = this.running().fromOutside(variable);
      this.present.set(variable, value);
    }
    return value;
  }

  process(op: OpDef, inputs: readonly Tensor[], attrs: Attrs): Tensor[] {
    const values = inputs.map((x) => (x instanceof Variable ? this.read(x) : x));
    return this.running().process(op, values, attrs);
  }

  assign(variable: Tensor, value: Tensor): void {
    const target = variable as Variable;
    const from = value.trace as Trace | null;
    if (from !== null && from !== this.trace && !(value instanceof Variable)) {
      throw new TransformError(
        `assign: the variable ${target.name} is given a value from inside a ${from.name}; in branches and loops return the value, and assign it outside`,
      );
    }
    this.present.set(target, value instanceof Variable ? this.read(value) : value);
    this.assigned.add(target);
  }

  backward(y: Tensor, gradient: Tensor): [Variable, Tensor][] {
    const trace = this.running();
    if (!(y instanceof GraphTracer) || y.trace !== trace) {
      throw new TransformError("backward: this value does not belong to the function that is being captured");
    }
    const sources = [...this.present.keys()].filter(
      (x): x is Variable => x instanceof Variable && x.requiresGrad,
    );
    const wanted = sources.map((v) => trace.lift(this.read(v)));
    const sunk = new Deliveries();
    const found = walkGraphBack(trace.history, [[y.value, gradient]], wanted, (i, g) => {
      sunk.take(sources[i], g, this.gradients.has(sources[i]) ? sources[i].grad : null);
    });
    const finished = sunk.finish();
    return sources.flatMap((variable, i): [Variable, Tensor][] => {
      const g = finished.get(variable) ?? (sunk.has(variable) ? null : found[i]);
      if (!g) return [];
      if (!this.gradients.has(variable)) this.gradients.set(variable, variable.grad);
      if (sunk.has(variable)) variable.grad = null; // it is in the sum that the sink was given
      return [[variable, g]];
    });
  }

  private running(): GraphTrace {
    if (!this.trace) throw new TransformError("capture: a variable was used before the capture began");
    return this.trace;
  }
}
