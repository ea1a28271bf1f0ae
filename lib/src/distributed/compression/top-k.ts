/** Top-k: of each bucket only the gradients of the largest size are sent, with their places. (Aji & Heafield 2017; Lin et al. 2018.) */
import { ValueError } from "../../core/errors.js";
import { type CompressionHook, Counter, gatheredMean, hookOf, Residuals } from "./hook.js";

export interface TopKOptions {
  /** Of the elements of a bucket, what part is sent: at least one is. */
  readonly ratio: number;
}

/**
 * Sends the largest gradients of each bucket, 8 bytes each; the rest waits in the error feedback until it has grown.
 * @example distributed.topKHook({ ratio: 0.01 }).statistics.sent // 0
 * @throws ValueError unless 0 < ratio ≤ 1
 */
export function topKHook({ ratio }: TopKOptions): CompressionHook {
  if (!(ratio > 0 && ratio <= 1))
    throw new ValueError(`topKHook: the ratio is above 0 and at most 1, got ${ratio}`);
  const counter = new Counter();
  const residuals = new Residuals();
  return hookOf(counter, (bucket, group) => {
    const values = residuals.gradients(bucket);
    const k = Math.max(1, Math.floor(ratio * values.length));
    const places = largest(values, k);
    const lost = values.slice();
    const bytes = new Uint8Array(8 * k);
    const at = new Int32Array(bytes.buffer, 0, k);
    const numbers = new Float32Array(bytes.buffer, 4 * k, k);
    places.forEach((place, i) => {
      at[i] = place;
      numbers[i] = values[place];
      lost[place] = 0;
    });
    residuals.keep(bucket, lost);
    counter.lose(values, lost);
    return gatheredMean(bucket, group, counter, bytes, (sum, received) => {
      const where = new Int32Array(received.buffer, 0, k);
      const what = new Float32Array(received.buffer, 4 * k, k);
      for (let i = 0; i < k; i++) sum[where[i]] += what[i];
    });
  });
}

/** Places of the k numbers of the largest size, ascending; of equals the first; NaN last. Linear time: quickselect for the k-th size. */
export function largest(values: Float32Array, k: number): Int32Array {
  const found = new Int32Array(k);
  const sizes = values.map((x) => (Number.isNaN(x) ? -1 : Math.abs(x)));
  const limit = selected(sizes.slice(), k);
  let count = 0;
  for (let i = 0; i < values.length; i++) if (sizes[i] > limit) found[count++] = i;
  for (let i = 0; i < values.length && count < k; i++) if (sizes[i] === limit) found[count++] = i;
  return found.sort();
}

/** The k-th largest, by Hoare's selection; reorders. */
function selected(x: Float32Array, k: number): number {
  let [low, high] = [0, x.length - 1];
  while (low < high) {
    const pivot = x[(low + high) >>> 1];
    let [i, j] = [low, high];
    while (i <= j) {
      while (x[i] > pivot) i++;
      while (x[j] < pivot) j--;
      if (i <= j) {
        [x[i], x[j]] = [x[j], x[i]];
        i++;
        j--;
      }
    }
    if (k - 1 <= j) high = j;
    else if (k - 1 >= i) low = i;
    else break;
  }
  return x[k - 1];
}
