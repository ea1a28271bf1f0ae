/** Reverse mode as a transformation: the trace that records a tape, and vjp, the pullback, from it. */
import { TransformError } from "../core/errors.js";
import { formatType } from "../core/shape.js";
import type { Tensor } from "../core/tensor.js";
import { difference, flatten, type TreeDef, unflatten } from "../core/tree.js";
import { onInterrupted } from "../core/turn.js";
import { bind, withLevel } from "../ops/bind.js";
import { type Attrs, NOT_DIFFERENTIABLE, type OpDef } from "../ops/registry.js";
import { madeInScope } from "../runtime/tidy.js";
import { Deliveries, gradientSinkOf } from "./gradient-sink.js";
import { applyForReverse, carriesGradient, leafNode, recordApplication, type TapeNode } from "./tape.js";
import { variableHost } from "./tape-mode.js";
import { callSync, checkReturned, constantLike, type OwningTrace, runTraced, Tracer } from "./trace.js";
import { Variable } from "./variable.js";
import { walkBack } from "./walk.js";

/** A value in a function that is being differentiated in reverse: output `slot` of `node`. */
export class VjpTracer extends Tracer {
  constructor(
    readonly trace: VjpTrace,
    readonly primal: Tensor,
    readonly node: TapeNode,
    readonly slot: number,
  ) {
    super();
  }

  override retained(): Tensor {
    return new VjpTracer(this.trace, this.primal.retained(), this.node, this.slot);
  }
}

const running = new Set<VjpTrace>();
onInterrupted(() => {
  for (const trace of running) trace.free();
  running.clear();
});

class VjpTrace implements OwningTrace {
  readonly name = "grad";
  active = true;
  readonly made: Tensor[] = [];
  /** The tape, oldest first. */
  readonly nodes: TapeNode[] = [];
  private readonly know = (node: TapeNode): void => {
    this.nodes.push(node);
  };

  constructor(readonly level: number) {}

  process(op: OpDef, inputs: readonly Tensor[], attrs: Attrs): Tensor[] {
    const count = inputs.length;
    const parents = new Array<TapeNode | null>(count);
    const slots = new Array<number>(count);
    const primals = new Array<Tensor>(count);
    const captured = variableHost() !== null;
    for (let i = 0; i < count; i++) {
      const x = inputs[i];
      const mine = x instanceof VjpTracer && x.trace === this;
      parents[i] = mine ? x.node : null;
      slots[i] = mine ? x.slot : 0;
      // what is saved of a variable is its value in the graph, not the one that it had when the graph was written down
      primals[i] = mine ? x.primal : captured ? argumentValue(x) : x;
    }
    if (op.vjp === NOT_DIFFERENTIABLE) return bind(op, primals, attrs);
    const application = applyForReverse(op, primals, attrs);
    const outputs = application.outputs.slice(0, application.count);
    if (op.composite) checkNotClosedOver(op, outputs, this);
    if (!outputs.some(carriesGradient)) return outputs;
    const node = recordApplication(op, application, parents, slots, primals, this.know);
    return outputs.map((y, slot) => {
      if (!carriesGradient(y)) return y;
      if (!op.composite || !primals.includes(y)) this.made.push(y); // functions may return what they were given
      return new VjpTracer(this, y, node, slot);
    });
  }

  /** Gives back everything that was saved. */
  free(): void {
    for (const node of this.nodes) node.free();
    running.delete(this);
  }

  handOver(): void {
    for (const node of this.nodes) node.collectable();
    running.delete(this);
  }
}

/** An op made of a function must get what is differentiated as arguments: else its reverse rule would not see it. */
function checkNotClosedOver(op: OpDef, outputs: readonly Tensor[], trace: VjpTrace): void {
  if (outputs.some((y) => y.trace === trace)) {
    throw new TransformError(
      `${op.name}: the function uses a value that is being differentiated but is not among its arguments; pass it as an argument (trees and modules are fine)`,
    );
  }
}

/** True if all of `y` was made in the innermost scope. */
function isFresh(y: Tensor): boolean {
  let fresh = true;
  y.parts((part) => {
    fresh &&= madeInScope(part);
  });
  return fresh;
}

/** What a recorded run of a function left. */
export interface Recording {
  /** Leaves of the function's result, one level down. */
  readonly outputs: readonly Tensor[];
  readonly def: TreeDef;
  /** Where each output came from; `null`: it does not depend on what is differentiated. */
  readonly from: readonly (TapeNode | null)[];
  readonly slots: readonly number[];
  /** Which outputs the run made itself, so that nobody else holds them. */
  readonly owned: readonly boolean[];
  /** One per wanted leaf of the arguments, in order; `null` for those that carry no derivative. */
  readonly leaves: readonly (TapeNode | null)[];
  /** The variables among the arguments, by their leaf. */
  readonly variables: ReadonlyMap<TapeNode, Variable>;
  readonly nodes: readonly TapeNode[];
  /** Gives back what was saved. */
  free(): void;
  /** Leaves what was saved to the garbage collector. */
  handOver(): void;
}

/** The plain value of a leaf that is an argument: what a variable holds at this moment. */
export const argumentValue = (x: Tensor): Tensor => (x instanceof Variable ? x.present : x);

/** Runs `f` with tracers for those leaves of `args` that `wanted` names, and records it. */
export function recordRun(
  f: (...args: never[]) => unknown,
  args: readonly unknown[],
  wanted: (argument: number, leaf: Tensor) => boolean,
  where: string,
): Recording {
  return withLevel((level) => {
    const trace = new VjpTrace(level);
    running.add(trace);
    const leaves: (TapeNode | null)[] = [];
    const variables = new Map<TapeNode, Variable>();
    const traced = args.map((arg, i) => {
      const shared = new Map<Variable, Tensor>(); // a variable at two places of a model is one variable
      const flat = flatten(arg);
      const inputs = flat.leaves.map((leaf) => {
        if (!wanted(i, leaf)) return leaf;
        const known = leaf instanceof Variable ? shared.get(leaf) : undefined;
        const value = argumentValue(leaf);
        if (known instanceof VjpTracer) {
          leaves.push(known.node);
          return known;
        }
        const node = carriesGradient(value) ? leafNode(value) : null;
        leaves.push(node);
        if (node === null) return value;
        trace.nodes.push(node);
        const tracer = new VjpTracer(trace, value, node, 0);
        if (leaf instanceof Variable) {
          shared.set(leaf, tracer);
          variables.set(node, leaf);
        }
        return tracer;
      });
      return unflatten(flat.def, inputs);
    });
    try {
      return runTraced(trace, () => {
        const result = flatten(callSync(f, traced, where));
        checkReturned(result.leaves, where);
        const mine = result.leaves.map((y) => (y instanceof VjpTracer && y.trace === trace ? y : null));
        return {
          outputs: result.leaves.map((y, i) => mine[i]?.primal ?? y),
          def: result.def,
          from: mine.map((y) => y?.node ?? null),
          slots: mine.map((y) => y?.slot ?? 0),
          owned: mine.map((y) => y !== null && trace.made.includes(y.primal) && isFresh(y.primal)),
          leaves,
          variables,
          nodes: trace.nodes,
          free: () => trace.free(),
          handOver: () => trace.handOver(),
        };
      });
    } catch (error) {
      trace.free();
      throw error;
    }
  });
}

/**
 * Gradients of the wanted leaves (`null`: zero) from those of the outputs. No two are the same object, and none is one
 * of `cotangents`: each may be disposed alone.
 * @param toSinks variables' gradients go to their sinks, where they have one
 */
export function pullBack(
  recording: Recording,
  cotangents: readonly (Tensor | null)[],
  free: boolean,
  toSinks = false,
): (Tensor | null)[] {
  const { nodes, from, slots, leaves, variables } = recording;
  const arrived = new Map<TapeNode, Tensor>();
  const early = toSinks && [...variables.values()].some((variable) => gradientSinkOf(variable) !== null);
  const sunk = new Deliveries();
  const arrive = (leaf: TapeNode, g: Tensor): unknown => {
    const variable = early ? variables.get(leaf) : undefined;
    return variable && sunk.take(variable, g) ? false : arrived.set(leaf, g);
  };
  try {
    walkBack(nodes, from, slots, cotangents, { free, early, arrive });
    if (early) {
      const finished = sunk.finish();
      for (const [leaf, variable] of variables) {
        const g = finished.get(variable);
        if (g) arrived.set(leaf, g);
      }
    }
  } catch (error) {
    sunk.abort();
    throw error;
  } finally {
    if (free) recording.free();
  }
  const given = new Set<Tensor | null>(cotangents);
  return leaves.map((leaf) => {
    const g = leaf && arrived.get(leaf);
    if (!g) return null;
    if (!given.has(g)) {
      given.add(g);
      return g;
    }
    return g.reshape(g.shape);
  });
}

/** A result with the function that carries gradients back through it. */
export interface Pullback<A extends unknown[], T> {
  readonly value: T;
  /** Gradients of the arguments, from a tree like `value`. May be called again, until `release`. */
  readonly pull: (cotangent: T) => A;
  /** Gives back what the pullback saved. Without it, the garbage collector does. */
  readonly release: () => void;
}

/**
 * Runs `f` once and returns its value with the pullback: the product of a row vector with the Jacobian.
 * @example
 * const { value, pull } = vjp((x: Tensor) => x.sin(), tensor([0, 1]));
 * pull(ones([2]))[0] // [1, 0.5403]
 * @throws TransformError if `f` is asynchronous or returns undefined; from `pull`, if the cotangent is not like the value.
 */
export function vjp<A extends unknown[], T>(f: (...args: A) => T, ...args: A): Pullback<A, T> {
  const recording = recordRun(f as never, args, () => true, "vjp");
  recording.handOver();
  const flat = args.map((arg) => flatten(arg));
  return {
    value: unflatten(recording.def, recording.outputs) as T,
    pull: (cotangent) => {
      const gradients = pullBack(recording, checkedCotangents(recording, cotangent), false);
      let next = 0;
      return flat.map(({ leaves, def }) =>
        unflatten(
          def,
          leaves.map((leaf) => gradients[next++] ?? constantLike(argumentValue(leaf), 0)),
        ),
      ) as A;
    },
    release: () => recording.free(),
  };
}

function checkedCotangents(recording: Recording, cotangent: unknown): (Tensor | null)[] {
  const { leaves, def } = flatten(cotangent);
  const found = difference(recording.def, def);
  if (found) throw new TransformError(`vjp: the cotangent is not a tree like the value: ${found}`);
  return leaves.map((leaf, i) => {
    const y = recording.outputs[i];
    const g = argumentValue(leaf);
    if (g.shape.join() !== y.shape.join()) {
      throw new TransformError(`vjp: the value is ${formatType(y)}, its cotangent ${formatType(g)}`);
    }
    return carriesGradient(y) ? g.cast(y.dtype) : null;
  });
}
