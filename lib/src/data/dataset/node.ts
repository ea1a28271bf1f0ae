/**
 * What a dataset is made of: a graph of nodes, and for each walk a chain of cursors that pull from one another. A cursor
 * answers at once as long as nothing below it is asynchronous, so one implementation of an op serves both kinds of walk.
 */
import type { Maybe } from "./maybe.js";

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Where a cursor is, as JSON. `{ from, skip }` is understood by every op: open at `from` and leave out `skip` elements. */
export type State = { readonly [key: string]: Json };

/** What `next` gives behind the last element. */
export const END: unique symbol = Symbol("end of the data");
export type Pulled<T> = T | typeof END;

/** One walk through one node. */
export interface Cursor<T> {
  next(): Maybe<Pulled<T>>;
  /** To be asked between two calls of `next`; `openNode` with it goes on at the element that `next` would give. */
  state(): State;
  /** Gives back files, threads, iterators. Called once, also in the midst of the data. */
  close(): Maybe<void>;
}

/** Elements by position. */
export interface RandomAccess<T> {
  readonly length: number;
  at(index: number): T | Promise<T>;
}

/** What a policy did instead of failing, by op. */
export interface FailureCount {
  skipped: number;
  retried: number;
}

/** One walk: which epoch it is, how it is done, and what went wrong in it. */
export interface Opening {
  /** Walks before this one: seeds of shuffles are mixed with it. */
  readonly epoch: number;
  /** False: nobody waits for promises. */
  readonly asynchronous: boolean;
  readonly failures: Map<string, FailureCount>;
  /** Another way to run a node: the engine's. */
  readonly instead?: (node: Node, opening: Opening, state: State | undefined) => Cursor<unknown> | undefined;
}

/** What the engine has to know of an op in order to run it elsewhere, or to rewrite it. */
export type Spec =
  | { readonly kind: "map" | "filter" | "flatMap"; readonly call: Call }
  | { readonly kind: "batch"; readonly count: number; readonly dropRemainder: boolean }
  | { readonly kind: "other" };

/** How a function of elements is to be called. */
export interface Call {
  readonly f: ElementFunction;
  /** For messages. */
  readonly name: string;
  readonly seed: number;
  readonly onError: ErrorPolicy;
  /** Calls at once. */
  readonly parallel: number | "auto";
  readonly device: DeviceMode;
}

// biome-ignore lint/suspicious/noExplicitAny: a node's functions take what its input gives; Dataset's methods see to the types
export type ElementFunction = (...args: any[]) => unknown;

/** A function that threads make for themselves, by a call of a module's function, says how. */
export const onThread: unique symbol = Symbol("mlsys.onThread");

export interface ThreadMaker {
  /** URL of the module. */
  readonly module: string;
  /** Of the exported function that makes the function. */
  readonly name: string;
  readonly args: readonly unknown[];
}

export function madeBy<F extends ElementFunction>(f: F, maker: ThreadMaker): F {
  return Object.assign(f, { [onThread]: maker });
}

/** `fail`: the walk ends with an error. `skip`: the element is left out, and counted. */
export type ErrorPolicy = "fail" | "skip" | { readonly retry: number; readonly otherwise?: "fail" | "skip" };

/** Where an op works: `mixed` takes host memory and gives a device's. */
export type DeviceMode = "cpu" | "mixed" | "gpu";

export interface Node<T = unknown> {
  /** The op: "map". */
  readonly op: string;
  /** With what it was given: "map(decode)". */
  readonly name: string;
  readonly inputs: readonly Node[];
  readonly spec: Spec;
  /** Number of elements, where it is known. */
  readonly size?: number | undefined;
  /** Elements by position, where the op has them. */
  readonly indexed?: ((epoch: number) => RandomAccess<T>) | undefined;
  /** The state `count` elements behind another one, where that can be told without the elements. */
  readonly advance?: ((state: State | undefined, count: number) => State | undefined) | undefined;
  /** Of a shard: how many there are. */
  readonly ranks?: number;
  /** @param state where another walk of the same op was */
  open(opening: Opening, state: State | undefined): Cursor<T>;
}

/** Opens a node where the engine or a state wants it. */
export function openNode<T>(node: Node<T>, opening: Opening, from?: State): Cursor<T> {
  const state = from && Object.keys(from).length === 0 ? undefined : from; // {}: the beginning
  const exact = state && typeof state.skip === "number" ? advanced(node, state, 0) : undefined;
  if (exact) return openNode(node, opening, exact);
  if (state && typeof state.skip === "number" && state.from !== undefined)
    return new Skipping(openNode(node, opening, state.from as State), state.skip);
  return (opening.instead?.(node, opening, state) as Cursor<T> | undefined) ?? node.open(opening, state);
}

/** The state `count` elements behind `state`, as exact as the ops below allow. */
export function advanced(node: Node, state: State | undefined, count: number): State | undefined {
  if (state && typeof state.skip === "number" && state.from !== undefined)
    return advanced(node, state.from as State, state.skip + count);
  return node.advance?.(state && Object.keys(state).length === 0 ? undefined : state, count);
}

/** Leaves out elements before the first one that is asked for. */
class Skipping<T> implements Cursor<T> {
  constructor(
    private readonly input: Cursor<T>,
    private left: number,
  ) {}

  next(): Maybe<Pulled<T>> {
    for (;;) {
      const pulled = this.input.next();
      if (this.left === 0) return pulled;
      if (pulled instanceof Promise) return pulled.then((x) => this.passed(x));
      if (pulled === END) return END;
      this.left--;
    }
  }

  state(): State {
    return this.left === 0 ? this.input.state() : { from: this.input.state(), skip: this.left };
  }

  close(): Maybe<void> {
    return this.input.close();
  }

  private passed(x: Pulled<T>): Maybe<Pulled<T>> {
    if (x === END) return END;
    this.left--;
    return this.next();
  }
}

/** The ops of a pipeline in words; a state fits only the pipeline that it came from. */
export function shapeOf(node: Node): string {
  const inputs = node.inputs.map(shapeOf);
  return inputs.length === 0
    ? node.op
    : inputs.length === 1
      ? `${inputs[0]}.${node.op}`
      : `${node.op}(${inputs.join(", ")})`;
}
