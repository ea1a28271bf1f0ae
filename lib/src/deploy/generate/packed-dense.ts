/** Fully connected layers whose weights stay as they are: packed once, for products with any number of rows. */
import type { Tensor } from "../../core/tensor.js";
import { Module } from "../../nn/module.js";
import { emptyDense } from "../../runtime/dense.js";
import { Storage } from "../../runtime/storage.js";
import { packedLength, packedProduct, packPanels } from "../../runtime/wasm/kernels/gemm-packed.js";
import { elementsOf } from "./elements.js";

export class PackedDense extends Module {
  private readonly packed: Storage;
  private readonly bias: Storage;

  /** @param weight (inputs, outputs), row-major */
  constructor(
    readonly inputs: number,
    readonly outputs: number,
    weight: Float32Array,
    bias: Float32Array | null,
  ) {
    super();
    this.packed = new Storage("float32", packedLength(inputs, outputs));
    packPanels(weight, inputs, outputs, this.packed.data as Float32Array);
    this.bias = new Storage("float32", packedLength(1, outputs));
    this.bias.fill(0);
    if (bias) this.bias.write(bias);
  }

  /** (rows, inputs) → (rows, outputs) */
  override forward(x: Tensor): Tensor {
    const rows = x.shape[0];
    const out = emptyDense([rows, this.outputs], "float32", x.device);
    packedProduct({
      x: elementsOf(x).ptr,
      packed: this.packed.ptr,
      bias: this.bias.ptr,
      out: out.storage.ptr,
      m: rows,
      n: this.outputs,
      k: this.inputs,
    });
    return out;
  }

  dispose(): void {
    this.packed.drop();
    this.bias.drop();
  }
}
