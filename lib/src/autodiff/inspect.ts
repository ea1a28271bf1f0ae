/** The tape as plain data: what was recorded, what it holds. (Book, chapter 3: why activations are saved.) */
import { formatType } from "../core/shape.js";
import type { Tensor } from "../core/tensor.js";
import { DenseTensor } from "../runtime/dense.js";
import type { Storage } from "../runtime/storage.js";
import { VjpTracer } from "./reverse.js";
import { history, type TapeNode } from "./tape.js";
import { onTape } from "./tape-mode.js";
import { ownerOf } from "./variable.js";

/** A tensor that a recorded op holds for its reverse rule. */
export interface SavedTensor {
  /** `input 0`, `output 1`. */
  readonly role: string;
  readonly type: string;
  readonly bytes: number;
  /** True for the value of a variable, which lives anyhow. */
  readonly parameter: boolean;
}

/** One recorded op, or a leaf (a variable), as plain data. */
export interface TapeEntry {
  readonly id: number;
  /** Name of the op, or of the variable for a leaf. */
  readonly name: string;
  readonly leaf: boolean;
  /** Ids of the entries that its inputs came from; constants are left out. */
  readonly inputs: readonly number[];
  /** Per input: where it came from; `null` for constants. */
  readonly parents: readonly ({ readonly id: number; readonly output: number } | null)[];
  readonly inputTypes: readonly string[];
  /** Types of the outputs. */
  readonly types: readonly string[];
  readonly attrs: object;
  readonly saved: readonly SavedTensor[];
  /** Bytes held for the reverse rule; memory that several entries hold counts at each. */
  readonly savedBytes: number;
}

/**
 * The tape behind a value, oldest entry first; empty if it has none.
 * @example tapeOf(variable([1, 2]).square().sum()).map((entry) => entry.name).includes("square") // true
 */
export function tapeOf(y: Tensor): TapeEntry[] {
  return nodesOf(y).map((node) => {
    const saved = savedOf(node).map(({ role, tensor, storage, parameter }) => ({
      role,
      type: formatType(tensor),
      bytes: bytesOf(storage),
      parameter,
    }));
    return {
      id: node.id,
      name: node.op?.name ?? ownerOf(node)?.name ?? "",
      leaf: node.op === null,
      inputs: node.parents.filter((p) => p !== null).map((p) => p.id),
      parents: node.parents.map((p, i) => p && { id: p.id, output: node.slots[i] }),
      inputTypes: node.inputTypes.map(formatType),
      types: node.outputTypes.map(formatType),
      attrs: node.attrs,
      saved,
      savedBytes: saved.reduce((sum, { bytes }) => sum + bytes, 0),
    };
  });
}

/** Bytes that the tape behind a value keeps alive, each piece of memory counted once. */
export interface TapeMemory {
  /** Activations and other intermediate results. */
  readonly activations: number;
  /** Values of variables, which live anyhow. */
  readonly parameters: number;
}

/**
 * What the tape behind a value keeps in memory until backward.
 * @example tapeMemory(variable([1, 2]).square().sum()).parameters // 8
 */
export function tapeMemory(y: Tensor): TapeMemory {
  const seen = new Set<Storage>();
  const memory = { activations: 0, parameters: 0 };
  for (const { storage, parameter } of nodesOf(y).flatMap(savedOf)) {
    if (storage === null || seen.has(storage)) continue;
    seen.add(storage);
    memory[parameter ? "parameters" : "activations"] += bytesOf(storage);
  }
  return memory;
}

function nodesOf(y: Tensor): TapeNode[] {
  if (y instanceof VjpTracer) return history([y.node]);
  return history([onTape(y)?.node ?? null]);
}

interface Held {
  readonly role: string;
  readonly tensor: Tensor;
  readonly storage: Storage | null;
  readonly parameter: boolean;
}

function savedOf(node: TapeNode): Held[] {
  const { savedInputs, savedOutputs, parents } = node;
  const held = (role: string, tensor: Tensor, parent: TapeNode | null): Held => {
    const storage = storageOf(tensor);
    const owner = parent ? ownerOf(parent) : undefined;
    return { role, tensor, storage, parameter: owner !== undefined && owner.value.storage === storage };
  };
  return [
    ...savedInputs.flatMap((t, i) => (isSaved(t) ? [held(`input ${i}`, t, parents[i])] : [])),
    ...savedOutputs.map((t, i) => held(`output ${i}`, t, null)),
  ];
}

/** Tells tensors from the stand-ins for those that are not saved. */
function isSaved(t: Tensor): boolean {
  return storageOf(t) !== null || t.peel() !== null;
}

function storageOf(t: Tensor): Storage | null {
  let value: Tensor | null = t;
  while (value !== null && !(value instanceof DenseTensor)) value = value.peel();
  return value?.storage ?? null;
}

const bytesOf = (storage: Storage | null): number => storage?.byteLength ?? 0;
