/**
 * Offloading: a tensor leaves the tensor memory for memory of the host program, and comes back before it is read again.
 * Tensor memory is 4 GiB at most; the host's is as large as the machine's.
 */
import { bytesPerElement, type DType } from "../../core/dtype.js";
import { TransformError } from "../../core/errors.js";
import { type Shape, sizeOf } from "../../core/shape.js";
import { defineOp, NOT_DIFFERENTIABLE, type OpDef } from "../../ops/registry.js";
import { memory } from "../../runtime/heap.js";
import { elementPositions, type HostArray } from "../../runtime/host-array.js";

interface OffloadAttrs {
  /** Names the host's buffer. */
  readonly slot: number;
}

interface ReloadAttrs extends OffloadAttrs {
  readonly shape: Shape;
  readonly dtype: DType;
}

/** The host's buffers: they stay from run to run, as pinned buffers of other systems do. */
const buffers = new Map<number, Uint8Array>();
const ownerless = new FinalizationRegistry<readonly number[]>((slots) => {
  for (const slot of slots) buffers.delete(slot);
});
let next = 0;

/** A buffer that no other graph uses. */
export function newSlot(): number {
  return next++;
}

/** The host's buffers go when their graph is garbage. */
export function ownSlots(owner: object, slots: readonly number[]): void {
  if (slots.length > 0) ownerless.register(owner, slots);
}

const noBatch = (): never => {
  throw new TransformError(
    "offload: memory is planned after transformations; transform the function instead",
  );
};

/** Copies its operand out; the result stands for the copy. */
export const offloadOp: OpDef<OffloadAttrs> = defineOp<OffloadAttrs>({
  name: "offload",
  kind: "control", // where data are, not what they are
  type: () => [{ shape: [], dtype: "bool" }],
  reference: ([x], [done], { slot }) => {
    const width = bytesPerElement(x.dtype);
    const bytes = sizeOf(x.shape) * width;
    let target = buffers.get(slot);
    if (target?.length !== bytes) {
      target = new Uint8Array(bytes);
      buffers.set(slot, target);
    }
    copyOut(x, width, target);
    done.data[done.offset] = 1;
  },
  vjp: NOT_DIFFERENTIABLE,
  jvp: NOT_DIFFERENTIABLE,
  batch: noBatch,
  samples: [],
});

/** Copies it back. */
export const reloadOp: OpDef<ReloadAttrs> = defineOp<ReloadAttrs>({
  name: "reload",
  kind: "control",
  type: (_, { shape, dtype }) => [{ shape, dtype }],
  reference: (_, [out], { slot, shape, dtype }) => {
    const width = bytesPerElement(dtype);
    const source = buffers.get(slot);
    if (!source) throw new TransformError(`reload: nothing was offloaded to slot ${slot}`);
    new Uint8Array(memory.buffer, out.ptr + out.offset * width, sizeOf(shape) * width).set(source);
  },
  vjp: NOT_DIFFERENTIABLE,
  jvp: NOT_DIFFERENTIABLE,
  batch: noBatch,
  samples: [],
});

/** The bytes of the elements in order, whatever their encoding. */
function copyOut(x: HostArray, width: number, target: Uint8Array): void {
  const positions = elementPositions(x);
  const reach = positions.reduce((end, at) => Math.max(end, at + 1), 0);
  const bytes = new Uint8Array(memory.buffer, x.ptr, reach * width);
  if (positions.every((at, i) => at === x.offset + i)) {
    target.set(bytes.subarray(x.offset * width, x.offset * width + target.length));
    return;
  }
  positions.forEach((at, i) => {
    for (let k = 0; k < width; k++) target[i * width + k] = bytes[at * width + k];
  });
}
