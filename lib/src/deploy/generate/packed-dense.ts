/** Fully connected layers whose weights stay as they are: packed once, for products with any number of rows. */
import type { Tensor } from "../../core/tensor.js";
import { Module } from "../../nn/module.js";
import { type DenseTensor, emptyDense } from "../../runtime/dense.js";
import { outsideScopes } from "../../runtime/tidy.js";
import { packedLength, packedProduct, packPanels } from "../../runtime/wasm/kernels/gemm-packed.js";
import { elementsOf } from "./elements.js";

export class PackedDense extends Module {
  private readonly packed: DenseTensor;
  private readonly bias: DenseTensor;

  /** @param weight (inputs, outputs), row-major */
  constructor(
    readonly inputs: number,
    readonly outputs: number,
    weight: Float32Array,
    bias: Float32Array | null,
  ) {
    super();
    const room = (k: number): DenseTensor =>
      outsideScopes(() => emptyDense([packedLength(k, outputs)], "float32", "cpu"));
    this.packed = room(inputs);
    packPanels(weight, inputs, outputs, this.packed.storage.data as Float32Array);
    this.bias = room(1);
    this.bias.storage.fill(0);
    if (bias) this.bias.storage.write(bias);
  }

  /** (rows, inputs) → (rows, outputs) */
  override forward(x: Tensor): Tensor {
    const rows = x.shape[0];
    const out = emptyDense([rows, this.outputs], "float32", x.device);
    packedProduct({
      x: elementsOf(x).ptr,
      packed: this.packed.storage.readable,
      bias: this.bias.storage.readable,
      out: out.storage.ptr,
      m: rows,
      n: this.outputs,
      k: this.inputs,
    });
    return out;
  }

  dispose(): void {
    this.packed.dispose();
    this.bias.dispose();
  }
}
