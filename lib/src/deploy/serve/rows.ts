/** Outputs of a batch, cut into those of its requests. */
import type { WireTensor } from "./backend.js";
import { ServeError } from "./errors.js";

/**
 * @param counts rows of each request, in order; behind them may be padding
 * @param rows that ran
 * @throws ServeError INTERNAL if an output has another number of rows.
 */
export function split(
  outputs: readonly WireTensor[],
  counts: readonly number[],
  rows: number,
  label: string,
): WireTensor[][] {
  const wrong = outputs.find(({ shape }) => shape[0] !== rows);
  if (wrong)
    throw new ServeError(
      "INTERNAL",
      `${label}: output "${wrong.name}" is ${wrong.datatype}[${wrong.shape}] for ${rows} row(s)`,
    );
  let from = 0;
  return counts.map((count) => {
    const start = from;
    from += count;
    return outputs.map((x) => {
      const width = x.data.length / rows;
      return {
        ...x,
        shape: [count, ...x.shape.slice(1)],
        data: x.data.subarray(start * width, (start + count) * width),
      };
    });
  });
}
