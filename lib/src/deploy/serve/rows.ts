/** Outputs of a batch: checked, and cut into those of its requests. */
import type { TensorSpec, WireTensor } from "./backend.js";
import { DATATYPES } from "./datatypes.js";
import { ServeError } from "./errors.js";

/**
 * The outputs in the model's order.
 * @throws ServeError INTERNAL for a backend that gives other outputs than it has said.
 */
export function checkOutputs(
  given: readonly WireTensor[],
  specs: readonly TensorSpec[],
  label: string,
): WireTensor[] {
  return specs.map(({ name, datatype }) => {
    const x = given.find((one) => one.name === name);
    if (!x) throw new ServeError("INTERNAL", `${label}: its backend gave no output "${name}"`);
    const bytes = x.shape.reduce((product, dim) => product * dim, DATATYPES[datatype].bytes);
    if (x.datatype !== datatype || x.data.length !== bytes)
      throw new ServeError(
        "INTERNAL",
        `${label}: its backend gave the output "${name}" as ${x.datatype}[${x.shape}] of ${x.data.length} bytes`,
      );
    return x;
  });
}

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
