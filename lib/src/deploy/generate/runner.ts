/** One step of the model over the tokens of many sequences at once: rows of one matrix, but for attention. */
import { Variable } from "../../autodiff/variable.js";
import { DTypeError } from "../../core/errors.js";
import * as tree from "../../core/tree.js";
import type { CausalLM } from "../../nn/causal-lm.js";
import { tensor } from "../../ops/convert.js";
import { concrete } from "../../ops/read.js";
import { tidy } from "../../ops/tidy.js";
import { type DenseTensor, denseFrom, readElements } from "../../runtime/dense.js";
import { getDevice, withDevice } from "../../runtime/devices.js";
import { outsideScopes } from "../../runtime/tidy.js";
import { PagedCache } from "./paged-cache.js";
import type { Scheduled } from "./scheduler.js";
import type { Sequence } from "./sequence.js";

export class ModelRunner {
  readonly cache: PagedCache;
  private readonly model: CausalLM;
  private readonly weights: DenseTensor[] = [];
  /** Embedding of the tokens, turned (size, vocabulary): with rows side by side, a product's sums do not depend on the number of its rows. */
  private readonly head: DenseTensor;
  private readonly device = getDevice();

  /** Takes the weights as they are now. @throws DTypeError unless they are float32 */
  constructor(
    model: CausalLM,
    readonly blockSize: number,
    blocks: number,
  ) {
    const { dtype } = model.tokens.weight;
    if (dtype !== "float32")
      throw new DTypeError(`GenerationEngine: weights are float32, got ${dtype}; cast them`);
    const plain = (leaf: unknown): unknown => {
      if (!(leaf instanceof Variable)) return leaf;
      const held = leaf.value.retained();
      this.weights.push(held);
      return held;
    };
    this.model = tree.map(plain, model);
    // modules below are rebuilt by the map, so that switching to evaluation leaves the caller's alone
    this.model.eval();
    this.head = outsideScopes(() => {
      const turned = model.tokens.weight.value.transpose() as DenseTensor;
      const copy = denseFrom(turned.toTypedArray(), turned.shape, dtype, this.device);
      const held = copy.retained();
      for (const handle of [turned, copy]) handle.dispose();
      return held;
    });
    const { heads, size } = model;
    const layers = model.blocks.length;
    this.cache = new PagedCache({ blocks, blockSize, layers, heads, headSize: size / heads });
  }

  /**
   * Computes what is scheduled, then calls `use` with the logits behind the last token of each sequence that has none left to
   * compute. They are there during the call only, and may be changed.
   */
  run(
    scheduled: readonly Scheduled[],
    use: (logits: ReadonlyMap<Sequence, Float32Array>) => void,
  ): void {
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
          this.cache.attend(layer, dense(joined)),
        );
        if (ready.length === 0) {
          use(new Map());
          return;
        }
        const rows = last.length === total ? hidden : hidden.take(tensor(Int32Array.from(last)));
        const logits = readElements(dense(rows.matmul(this.head))) as Float32Array;
        const { vocabulary } = this.model;
        const part = (i: number): Float32Array => logits.subarray(i * vocabulary, (i + 1) * vocabulary);
        use(new Map(ready.map((sequence, i) => [sequence, part(i)])));
      }),
    );
  }

  dispose(): void {
    for (const weight of this.weights) weight.dispose();
    this.head.dispose();
    this.cache.dispose();
  }
}

/** Ops on tensors with memory give such. */
const dense = (x: Parameters<typeof concrete>[0]): DenseTensor => concrete(x) as DenseTensor;
