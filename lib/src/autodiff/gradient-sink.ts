/**
 * Gradient sinks: who wants gradients of variables as soon as they are final, while the backward pass goes on, and says
 * what they are in the end. Data-parallel training hangs on it: what is there is averaged beside the rest of the pass.
 */
import type { Tensor } from "../core/tensor.js";
import type { Variable } from "./variable.js";

/** What takes the gradients of some variables. Works on values of a capture as well: what it does is then written down. */
export interface GradientSink {
  /** False: gradients go their usual way. */
  readonly enabled: boolean;
  /** The gradient of a variable is final. It belongs to the walk: copy what must outlive this call. */
  arrive(variable: Variable, gradient: Tensor): void;
  /** The walk has ended: the gradients that the variables get, also of some that did not arrive. Others get none. */
  finish(): Iterable<readonly [Variable, Tensor]>;
  /** The walk has failed. */
  abort(): void;
}

const sinks = new WeakMap<object, GradientSink>();
let any = false;

/** From now on the variable's gradients go to `sink` (`null`: the usual way). */
export function setGradientSink(variable: Variable, sink: GradientSink | null): void {
  if (sink === null) sinks.delete(variable);
  else {
    sinks.set(variable, sink);
    any = true;
  }
}

/** Who takes a variable's gradients at the moment. */
export function gradientSinkOf(variable: object | undefined): GradientSink | null {
  if (!any || variable === undefined) return null;
  const sink = sinks.get(variable);
  return sink?.enabled ? sink : null;
}

/** The gradients of one walk that go to sinks. */
export class Deliveries {
  private readonly used = new Set<GradientSink>();
  private readonly taken = new Set<Variable>();

  /**
   * Gives a final gradient to the variable's sink, if it has one.
   * @param before what the variable has from earlier passes: the sink gets the sum, for what it says takes the place of both
   */
  take(variable: Variable, gradient: Tensor, before: Tensor | null = null): boolean {
    const sink = gradientSinkOf(variable);
    if (!sink) return false;
    this.used.add(sink);
    this.taken.add(variable);
    const sum = before === null ? gradient : before.add(gradient);
    sink.arrive(variable, sum);
    if (before !== null && sum.trace === null) sum.dispose();
    return true;
  }

  has(variable: Variable): boolean {
    return this.taken.has(variable);
  }

  /** What the sinks say, when the walk has ended. */
  finish(): Map<Variable, Tensor> {
    const out = new Map<Variable, Tensor>();
    for (const sink of this.used) for (const [variable, g] of sink.finish()) out.set(variable, g);
    return out;
  }

  abort(): void {
    for (const sink of this.used) sink.abort();
  }
}
