/**
 * The tape of reverse mode. Each op that reads a differentiable value leaves a node that links to the nodes of its
 * inputs and holds just the tensors that its reverse rule reads. There is no list of all nodes: what the result does
 * not need is garbage. Backward runs the rules as ops, so derivatives can be differentiated again.
 * (Book, chapter 3: dynamic graphs; chapter 4: operator overloading with a tape.)
 */
import { isFloat } from "../core/dtype.js";
import { TransformError } from "../core/errors.js";
import type { TensorType } from "../core/shape.js";
import type { Tensor } from "../core/tensor.js";
import { type Attrs, NOT_DIFFERENTIABLE, type OpDef, type VjpContext } from "../ops/registry.js";
import { DenseTensor, viewOf } from "../runtime/dense.js";
import { outsideScopes } from "../runtime/tidy.js";

/** A recorded op, or a leaf (no op). */
export class TapeNode {
  /** Increases with time: an op's node is younger than those of its inputs. */
  readonly id: number;
  private static count = 0;
  /** Tensors kept for the reverse rule; absent entries are not needed by it. */
  savedInputs: (Tensor | undefined)[] = [];
  savedOutputs: Tensor[] = [];
  private freed = false;

  constructor(
    readonly op: OpDef | null,
    readonly attrs: Attrs,
    readonly parents: readonly (TapeEdge | null)[],
    readonly inputTypes: readonly TensorType[],
    readonly outputTypes: readonly TensorType[],
  ) {
    this.id = TapeNode.count++;
  }

  save(inputs: readonly Tensor[], outputs: readonly Tensor[]): void {
    const saves = this.op?.saves;
    if (!saves) return;
    if (saves.inputs === "all") this.savedInputs = inputs.map(hold);
    else if (saves.inputs && saves.inputs.length > 0) {
      this.savedInputs = new Array<Tensor | undefined>(inputs.length);
      for (const i of saves.inputs) this.savedInputs[i] = hold(inputs[i]);
    }
    if (saves.outputs) this.savedOutputs = outputs.map(hold);
  }

  /** Gradients of the inputs from those of the outputs. */
  backward(cotangents: readonly (Tensor | null)[]): readonly (Tensor | null)[] {
    const op = this.op;
    if (!op || op.vjp === NOT_DIFFERENTIABLE) return [];
    if (this.freed) {
      throw new TransformError(
        `backward: the tensors that ${op.name} saved were given back by an earlier backward; call it with { retainGraph: true } to go back twice`,
      );
    }
    const context: VjpContext<Attrs> = {
      inputs: this.savedInputs as Tensor[],
      outputs: this.savedOutputs,
      inputTypes: this.inputTypes,
      outputTypes: this.outputTypes,
      attrs: this.attrs,
      needs: this.parents.map((parent) => parent !== null),
    };
    return op.vjp(cotangents, context);
  }

  /** Gives back the saved tensors. */
  free(): void {
    this.freed = true;
    for (const t of this.savedInputs) t?.dispose();
    for (const t of this.savedOutputs) t.dispose();
    this.savedInputs = [];
    this.savedOutputs = [];
  }
}

/** Where an input came from: which output of which node. */
export interface TapeEdge {
  readonly node: TapeNode;
  readonly output: number;
}

/** A handle of the tape's own on the value, so that the user's dispose() and tidy() do not take it away. */
function hold(x: Tensor): Tensor {
  return x instanceof DenseTensor ? outsideScopes(() => viewOf(x, x)) : x;
}

/** True if a derivative can flow through an output of this type. */
export function carriesGradient(type: TensorType): boolean {
  return isFloat(type.dtype);
}

/** A node for an op's application. */
export function record(
  op: OpDef,
  attrs: Attrs,
  parents: readonly (TapeEdge | null)[],
  inputs: readonly Tensor[],
  outputs: readonly Tensor[],
): TapeNode {
  const node = new TapeNode(op, attrs, parents, inputs.map(typeOf), outputs.map(typeOf));
  node.save(inputs, outputs);
  return node;
}

/** A node without an op: an input of the differentiated function. */
export function leafNode(x: Tensor): TapeNode {
  return new TapeNode(null, {}, [], [], [typeOf(x)]);
}

function typeOf({ shape, dtype }: TensorType): TensorType {
  return { shape, dtype };
}

/** Every node that the edges lead to, youngest first. */
export function reachable(edges: readonly TapeEdge[]): TapeNode[] {
  const seen = new Set<TapeNode>();
  const open = edges.map((edge) => edge.node);
  for (let node = open.pop(); node; node = open.pop()) {
    if (seen.has(node)) continue;
    seen.add(node);
    for (const parent of node.parents) if (parent) open.push(parent.node);
  }
  return [...seen].sort((a, b) => b.id - a.id);
}

/**
 * Walks back from `edges` with their cotangents, youngest node first, so that a node has received everything before
 * it sends. `arrive` is called for each leaf, and for inner nodes that `wants` names.
 */
export function walkBack(
  edges: readonly TapeEdge[],
  cotangents: readonly (Tensor | null)[],
  arrive: (node: TapeNode, gradient: Tensor) => void,
  options: { readonly free: boolean; readonly wants?: (node: TapeNode) => boolean },
): void {
  const received = new Map<TapeNode, (Tensor | null)[]>();
  const give = (edge: TapeEdge, g: Tensor | null): void => {
    if (g === null) return;
    let slots = received.get(edge.node);
    if (!slots) {
      slots = new Array<Tensor | null>(edge.node.outputTypes.length).fill(null);
      received.set(edge.node, slots);
    }
    const before = slots[edge.output];
    slots[edge.output] = before ? before.add(g) : g;
  };
  edges.forEach((edge, i) => {
    give(edge, cotangents[i]);
  });
  const order = reachable(edges);
  try {
    for (const node of order) {
      const slots = received.get(node);
      if (!slots) continue;
      received.delete(node);
      if (node.op === null || options.wants?.(node)) arrive(node, slots[0] as Tensor);
      if (node.op === null) continue;
      const sent = node.backward(slots);
      node.parents.forEach((parent, i) => {
        if (parent) give(parent, sent[i] ?? null);
      });
      if (options.free) node.free();
    }
  } finally {
    if (options.free) for (const node of order) if (node.op) node.free();
  }
}
