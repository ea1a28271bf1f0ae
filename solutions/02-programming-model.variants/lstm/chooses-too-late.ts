// expect: wrong 7/8
// fails: what stands behind the end has no influence, not even NaN
// why: chooses behind the cell only: right forward, NaN on the way back
/** One step: the state behind `x` (n, inputs). */
function lstmCell({ W, U, b }: LstmParameters, { h, c }: LstmState, x: Tensor): LstmState {
  const sums = x.matmul(W).add(h.matmul(U)).add(b);
  const [i, f, g, o] = mlsys.split(sums, 4, 1);
  const memory = f.sigmoid().mul(c).add(i.sigmoid().mul(g.tanh()));
  return { h: o.sigmoid().mul(memory.tanh()), c: memory };
}

/** Walks along `xs` (t, n, inputs): the outputs (t, n, size) and the last state. */
function lstm(
  parameters: LstmParameters,
  xs: Tensor,
  { lengths, start }: LstmOptions = {},
): LstmState & { outputs: Tensor } {
  const [steps, n] = xs.shape;
  const nothing = mlsys.zeros([n, parameters.U.shape[0]], { dtype: xs.dtype });
  let state = start ?? { h: nothing, c: nothing };
  const outputs: Tensor[] = [];
  for (let t = 0; t < steps; t++) {
    if (!lengths) {
      state = lstmCell(parameters, state, xs.at(t));
      outputs.push(state.h);
      continue;
    }
    const goesOn = tensor(lengths.map((length) => [t < length]));
    const next = lstmCell(parameters, state, xs.at(t));
    state = { h: mlsys.where(goesOn, next.h, state.h), c: mlsys.where(goesOn, next.c, state.c) };
    outputs.push(mlsys.where(goesOn, next.h, nothing));
  }
  return { outputs: mlsys.stack(outputs), ...state };
}
