/** One step of the model over the tokens of many sequences at once: rows of one matrix, but for attention. */
import { Variable } from "../../autodiff/variable.js";
import { DTypeError } from "../../core/errors.js";
import type { Tensor } from "../../core/tensor.js";
import * as tree from "../../core/tree.js";
import type { CausalLM } from "../../nn/causal-lm.js";
import type { Dense } from "../../nn/dense.js";
import { tensor } from "../../ops/convert.js";
import { tidy } from "../../ops/tidy.js";
import { denseFrom } from "../../runtime/dense.js";
import { getDevice, withDevice } from "../../runtime/devices.js";
import { outsideScopes } from "../../runtime/tidy.js";
import { elementsOf } from "./elements.js";
import { PackedDense } from "./packed-dense.js";
import { PagedCache } from "./paged-cache.js";
import type { Scheduled } from "./scheduler.js";
import type { Sequence } from "./sequence.js";

export class ModelRunner {
  readonly cache: PagedCache;
  private readonly model: CausalLM;
  /** Features → logits. */
  private readonly head: (hidden: Tensor) => Tensor;
  private readonly device = getDevice();
  private readonly held: { dispose(): void }[] = [];

  /** Takes the weights as they are now. @throws DTypeError unless they are float32 */
  constructor(
    model: CausalLM,
    readonly blockSize: number,
    blocks: number,
  ) {
    const { dtype } = model.tokens.weight;
    if (dtype !== "float32")
      throw new DTypeError(`GenerationEngine: weights are float32, got ${dtype}; cast them`);
    // the modules of the map are its own: switching them to evaluation leaves the caller's alone
    this.model = tree.map((leaf) => this.value(leaf), model).eval();
    const { heads, size, vocabulary } = model;
    const turned = tidy(() => model.tokens.weight.value.transpose().toTypedArray()) as Float32Array;
    if (this.device === "wasm") {
      for (const block of this.model.blocks)
        for (const name of ["joined", "output", "wide", "narrow"] as const)
          Object.assign(block, { [name]: this.packed(block[name]) });
      const head = new PackedDense(size, vocabulary, turned, null);
      this.held.push(head);
      this.head = (hidden) => head.forward(hidden);
    } else {
      // with rows side by side a product's sums do not depend on the number of its rows
      const matrix = outsideScopes(() => denseFrom(turned, [size, vocabulary], dtype, this.device));
      this.held.push(matrix);
      this.head = (hidden) => hidden.matmul(matrix);
    }
    const layers = model.blocks.length;
    this.cache = new PagedCache({ blocks, blockSize, layers, heads, headSize: size / heads });
    this.held.push(this.cache);
  }

  /**
   * Computes what is scheduled, then calls `use` with the logits behind the last token of each sequence that has none left to
   * compute. They are there during the call only, and may be changed.
   */
  run(scheduled: readonly Scheduled[], use: (logits: ReadonlyMap<Sequence, Float32Array>) => void): void {
    const total = scheduled.reduce((sum, { count }) => sum + count, 0);
    const [tokens, positions] = [new Int32Array(total), new Int32Array(total)];
    const [slots, spans] = [new Int32Array(total), new Int32Array(2 * total)];
    const tables: number[] = [];
    const last: number[] = [];
    const ready: Sequence[] = [];
    let row = 0;
    for (const { sequence, count } of scheduled) {
      const { computed, blocks } = sequence;
      for (let at = computed; at < computed + count; at++, row++) {
        tokens[row] = sequence.tokens[at];
        positions[row] = at;
        slots[row] = blocks[Math.floor(at / this.blockSize)] * this.blockSize + (at % this.blockSize);
        spans[2 * row] = tables.length;
        spans[2 * row + 1] = at + 1;
      }
      tables.push(...blocks);
      if (computed + count < sequence.tokens.length) continue;
      last.push(row - 1);
      ready.push(sequence);
    }
    this.cache.prepare({ tables: Int32Array.from(tables), spans, slots });
    withDevice(this.device, () =>
      tidy(() => {
        const hidden = this.model.hidden(tensor(tokens), tensor(positions), (layer, joined) =>
          this.cache.attend(layer, joined),
        );
        if (ready.length === 0) {
          use(new Map());
          return;
        }
        const rows = last.length === total ? hidden : hidden.take(tensor(Int32Array.from(last)));
        const logits = elementsOf(this.head(rows)).data;
        const { vocabulary } = this.model;
        const part = (i: number): Float32Array => logits.subarray(i * vocabulary, (i + 1) * vocabulary);
        use(new Map(ready.map((sequence, i) => [sequence, part(i)])));
      }),
    );
  }

  dispose(): void {
    for (const part of this.held) part.dispose();
  }

  /** A variable's present value, held. */
  private value(leaf: Tensor): Tensor {
    if (!(leaf instanceof Variable)) return leaf;
    const value = leaf.value.retained();
    value.collectable();
    this.held.push(value);
    return value;
  }

  private packed({ weight, bias, inputs, outputs }: Dense): PackedDense {
    const values = (x: Tensor): Float32Array => x.toTypedArray() as Float32Array;
    const layer = new PackedDense(inputs, outputs, values(weight), bias && values(bias));
    this.held.push(layer);
    return layer;
  }
}
