// expect: correct
// why: loops over the own part alone, without arrays that are filled up
function bytesPerRank(parameters: number, ranks: number, stage: 0 | 1 | 2 | 3): number {
  if (stage === 0) return 16 * parameters;
  if (stage === 1) return 4 * parameters + (12 * parameters) / ranks;
  return stage === 2 ? 2 * parameters + (14 * parameters) / ranks : (16 * parameters) / ranks;
}

async function adamStep(group: Group, parameters: Float64Array, gradient: Float64Array, state: AdamState, rate: number): Promise<Float64Array> {
  const k = state.mean.length;
  const long = new Float64Array(k * group.size);
  gradient.forEach((g, i) => {
    long[i] = g / group.size;
  });
  const g = await group.reduceScatter(long);
  state.step += 1;
  const [c1, c2] = [1 - Math.pow(0.9, state.step), 1 - Math.pow(0.999, state.step)];
  const part = new Float64Array(k);
  for (let i = 0; i < k && group.rank * k + i < parameters.length; i++) {
    state.mean[i] += 0.1 * (g[i] - state.mean[i]);
    state.variance[i] += 0.001 * (g[i] ** 2 - state.variance[i]);
    part[i] = parameters[group.rank * k + i] - (rate * state.mean[i]) / c1 / (Math.sqrt(state.variance[i] / c2) + 1e-8);
  }
  const all = await group.allGather(part);
  return all.subarray(0, parameters.length);
}

async function trainLayers(group: Group, parts: Float64Array[], lengths: number[], input: Float64Array, layer: Layer): Promise<[output: Float64Array, gradientParts: Float64Array[]]> {
  const descend = async (i: number, x: Float64Array): Promise<{ output: Float64Array; gx: Float64Array; parts: Float64Array[] }> => {
    if (i === parts.length) return { output: x, gx: Float64Array.from(x, () => 1), parts: [] };
    const y = layer.forward(i, (await group.allGather(parts[i])).subarray(0, lengths[i]), x);
    const below = await descend(i + 1, y);
    const [gw, gx] = layer.backward(i, (await group.allGather(parts[i])).subarray(0, lengths[i]), x, below.gx);
    const long = Float64Array.from({ length: parts[i].length * group.size }, (_, j) => (j < gw.length ? gw[j] : 0));
    return { output: below.output, gx, parts: [await group.reduceScatter(long), ...below.parts] };
  };
  const { output, parts: gradients } = await descend(0, input);
  return [output, gradients];
}
