/**
 * The tape of reverse mode. Each op that reads a differentiable value leaves a node that links to the nodes of its
 * inputs and holds just the tensors that its reverse rule reads. There is no list of all nodes: what the result does
 * not need is garbage. Backward runs the rules as ops, so derivatives can be differentiated again.
 * (Book, chapter 3: dynamic graphs; chapter 4: operator overloading with a tape.)
 */
import { isFloat } from "../core/dtype.js";
import { TransformError } from "../core/errors.js";
import { formatType, sameShape, type TensorType } from "../core/shape.js";
import { type MemoryHolder, Tensor } from "../core/tensor.js";
import { bind } from "../ops/bind.js";
import { type Attrs, NOT_DIFFERENTIABLE, type OpDef, type VjpContext } from "../ops/registry.js";

/** Sees the gradient of one output of a node when backward passes by; a tensor that it returns takes its place. */
export interface Watcher {
  readonly output: number;
  arrive(gradient: Tensor): Tensor | undefined;
}

/** A recorded op, or a leaf (no op). */
export class TapeNode implements MemoryHolder {
  private static count = 0;
  /** Increases with time: an op's node is younger than those of its inputs. */
  readonly id = ++TapeNode.count;
  /** Tensors kept for the reverse rule; `ABSENT` where it reads none. */
  savedInputs: readonly Tensor[] = NONE;
  savedOutputs: readonly Tensor[] = NONE;
  watchers: Watcher[] | null = null;
  /** The last search that met this node. */
  mark = 0;
  private freed = false;

  constructor(
    readonly op: OpDef | null,
    readonly attrs: Attrs,
    /** Nodes that the inputs came from; `null` for inputs that are constant to this tape. */
    readonly parents: readonly (TapeNode | null)[],
    /** Which output of its parent each input was. */
    readonly slots: readonly number[],
    readonly inputTypes: readonly TensorType[],
    readonly outputTypes: readonly TensorType[],
  ) {}

  /** True if it holds tensors. */
  get saves(): boolean {
    return this.savedInputs.length > 0 || this.savedOutputs.length > 0;
  }

  /**
   * Gradients of the inputs from those of the outputs.
   * @throws TransformError if the saved tensors were given back, or the op's rule returns gradients of a wrong type.
   */
  backward(cotangents: readonly (Tensor | null)[]): readonly (Tensor | null)[] {
    const op = this.op;
    if (op === null || op.vjp === NOT_DIFFERENTIABLE) return NONE;
    if (this.freed) {
      throw new TransformError(
        `backward: what ${op.name} saved was given back, by an earlier backward or by the tidy() in which it ran; to go back twice call the first with { retainGraph: true }`,
      );
    }
    const context: VjpContext<Attrs> = {
      inputs: this.savedInputs.length > 0 ? this.savedInputs : absent(this.parents.length),
      outputs: this.savedOutputs.length > 0 ? this.savedOutputs : absent(this.outputTypes.length),
      inputTypes: this.inputTypes,
      outputTypes: this.outputTypes,
      attrs: this.attrs,
      needs: this.parents.map(isPresent),
    };
    return this.checked(op, op.vjp(cotangents, context));
  }

  private checked(op: OpDef, gradients: readonly (Tensor | null)[]): readonly (Tensor | null)[] {
    for (let i = 0; i < this.parents.length; i++) {
      const g = gradients[i];
      if (!g || this.parents[i] === null) continue;
      const wanted = this.inputTypes[i];
      if (g.dtype !== wanted.dtype || !sameShape(g.shape, wanted.shape)) {
        throw new TransformError(
          `${op.name}: its reverse rule returned a gradient ${formatType(g)} for input ${i}, which is ${formatType(wanted)}`,
        );
      }
      // a rule may return what was saved, which free() is about to give back
      if (this.savedInputs.includes(g) || this.savedOutputs.includes(g)) {
        return gradients.map((x) => x && x.reshape(x.shape));
      }
    }
    return gradients;
  }

  /** Gives back the saved tensors. */
  free(): void {
    if (!this.saves) return;
    this.freed = true;
    for (const t of this.savedInputs) t.release();
    for (const t of this.savedOutputs) t.release();
    this.savedInputs = NONE;
    this.savedOutputs = NONE;
  }

  /** For scopes: a tape that nobody can reach any more gives back what it saved. */
  dispose(): void {
    this.free();
  }

  /** Leaves what it saved to the garbage collector. */
  collectable(): void {
    for (const t of this.savedInputs) t.parts(leave);
    for (const t of this.savedOutputs) t.parts(leave);
  }
}

/** True if a derivative can flow through a value of this type. */
export function carriesGradient(type: TensorType): boolean {
  return isFloat(type.dtype);
}

function record(
  op: OpDef,
  attrs: Attrs,
  parents: readonly (TapeNode | null)[],
  slots: readonly number[],
  inputs: readonly Tensor[],
  outputs: readonly Tensor[],
  know: (node: TapeNode) => void,
): TapeNode {
  const node = new TapeNode(op, attrs, parents, slots, typesOf(inputs), typesOf(outputs));
  const { inputs: which = NONE, outputs: all = false } = op.saves ?? NOTHING;
  const held = which.length > 0 ? new Array<Tensor>(inputs.length).fill(ABSENT) : NONE;
  const kept = all ? new Array<Tensor>(outputs.length).fill(ABSENT) : NONE;
  node.savedInputs = held;
  node.savedOutputs = kept;
  know(node); // an interrupt may come at any call: whoever frees the node finds what it has saved by then
  if (which === "all") for (let i = 0; i < inputs.length; i++) held[i] = inputs[i].retained();
  else for (const i of which) held[i] = inputs[i].retained();
  if (all) for (let i = 0; i < outputs.length; i++) kept[i] = outputs[i].retained();
  return node;
}

/** An op's application, run so that it can be recorded. */
export interface Application {
  /** Those that the op ran with: where it has residuals, with them. */
  readonly attrs: Attrs;
  /** All outputs: behind those that the caller sees, residuals. */
  readonly outputs: readonly Tensor[];
  /** Number of outputs that the caller sees. */
  readonly count: number;
}

/** Applies an op one level down; if a derivative can flow through it, with the residuals that its reverse rule wants. */
export function applyForReverse(op: OpDef, primals: readonly Tensor[], attrs: Attrs): Application {
  if (op.residuals) {
    const types = op.type(primals, attrs);
    if (types.some(carriesGradient)) {
      const wide = op.residuals(attrs);
      return { attrs: wide, outputs: bind(op, primals, wide), count: types.length };
    }
  }
  const outputs = bind(op, primals, attrs);
  return { attrs, outputs, count: outputs.length };
}

/**
 * Records an application. The tape has its own handles on the residuals; those of the run are given back.
 * @param know called with the node before it holds anything
 */
export function recordApplication(
  op: OpDef,
  { attrs, outputs, count }: Application,
  parents: readonly (TapeNode | null)[],
  slots: readonly number[],
  primals: readonly Tensor[],
  know: (node: TapeNode) => void,
): TapeNode {
  const node = record(op, attrs, parents, slots, primals, outputs, know);
  for (let i = count; i < outputs.length; i++) outputs[i].dispose();
  return node;
}

/** A node without an op: where gradients are wanted. */
export function leafNode(x: Tensor): TapeNode {
  return new TapeNode(null, NO_ATTRS, NONE, NONE, NONE, [{ shape: x.shape, dtype: x.dtype }]);
}

let searches = 0;

/** Every node from which a value in `from` was computed, oldest first. */
export function history(from: readonly (TapeNode | null)[]): TapeNode[] {
  const search = ++searches;
  const found: TapeNode[] = [];
  const open: TapeNode[] = [];
  const meet = (node: TapeNode | null): void => {
    if (node === null || node.mark === search) return;
    node.mark = search;
    found.push(node);
    open.push(node);
  };
  for (const node of from) meet(node);
  for (let node = open.pop(); node; node = open.pop()) for (const parent of node.parents) meet(parent);
  return found.sort((a, b) => a.id - b.id);
}

const NONE: never[] = [];
const NOTHING: NonNullable<OpDef["saves"]> = {};
const NO_ATTRS = {};
const leave = (part: MemoryHolder): void => part.collectable();
const isPresent = (x: unknown): boolean => x !== null;

function typesOf(tensors: readonly Tensor[]): TensorType[] {
  const types = new Array<TensorType>(tensors.length);
  for (let i = 0; i < tensors.length; i++) types[i] = { shape: tensors[i].shape, dtype: tensors[i].dtype };
  return types;
}

/** Stands where a tensor was not saved: reading it is an error in the op's definition. */
class AbsentTensor extends Tensor {
  private refuse(): never {
    throw new TransformError(
      "a reverse rule read a tensor that its op does not save; name it in the op's `saves`, or read its type from inputTypes or outputTypes",
    );
  }
  get shape(): never {
    return this.refuse();
  }
  get dtype(): never {
    return this.refuse();
  }
  get device(): never {
    return this.refuse();
  }
  get trace(): never {
    return this.refuse();
  }
}

const ABSENT = new AbsentTensor();
const absentLists: (readonly Tensor[])[] = [];

function absent(count: number): readonly Tensor[] {
  absentLists[count] ??= new Array<Tensor>(count).fill(ABSENT);
  return absentLists[count];
}
