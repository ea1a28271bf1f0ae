// expect: wrong 7/11
// fails: two ranks, one step | many steps, odd numbers | between threads
// why: the step is for the sum of the gradients
/** Bytes that a rank keeps. */
function bytesPerRank(parameters: number, ranks: number, stage: 0 | 1 | 2 | 3): number {
  const [weights, gradients, state] = [3, 2, 1].map((shared) => (stage >= shared ? 1 / ranks : 1));
  return parameters * (2 * weights + 2 * gradients + 12 * state);
}

/** The new parameters, all of them. */
async function adamStep(group: Group, parameters: Float64Array, gradient: Float64Array, state: AdamState, rate: number): Promise<Float64Array> {
  const part = Math.ceil(parameters.length / group.size);
  const sums = await group.reduceScatter(padded(gradient, part * group.size));
  const mine = padded(parameters, part * group.size).slice(group.rank * part, (group.rank + 1) * part);
  const t = ++state.step;
  for (let i = 0; i < part; i++) {
    const g = sums[i];
    state.mean[i] = 0.9 * state.mean[i] + 0.1 * g;
    state.variance[i] = 0.999 * state.variance[i] + 0.001 * g * g;
    mine[i] -= (rate * (state.mean[i] / (1 - 0.9 ** t))) / (Math.sqrt(state.variance[i] / (1 - 0.999 ** t)) + 1e-8);
  }
  return (await group.allGather(mine)).slice(0, parameters.length);
}

/** Output, and this rank's parts of the gradients. */
async function trainLayers(
  group: Group,
  parts: Float64Array[],
  lengths: number[],
  input: Float64Array,
  layer: Layer,
): Promise<[output: Float64Array, gradientParts: Float64Array[]]> {
  const weightsOf = async (i: number): Promise<Float64Array> => (await group.allGather(parts[i])).slice(0, lengths[i]);
  const inputs: Float64Array[] = [];
  let x = input;
  for (const i of parts.keys()) {
    inputs.push(x);
    x = layer.forward(i, await weightsOf(i), x);
  }
  const gradientParts: Float64Array[] = new Array(parts.length);
  let gx = new Float64Array(x.length).fill(1);
  for (let i = parts.length - 1; i >= 0; i--) {
    const [gw, next] = layer.backward(i, await weightsOf(i), inputs[i], gx);
    gradientParts[i] = await group.reduceScatter(padded(gw, parts[i].length * group.size));
    gx = Float64Array.from(next);
  }
  return [x, gradientParts];
}

function padded(values: Float64Array, length: number): Float64Array {
  const out = new Float64Array(length);
  out.set(values);
  return out;
}
