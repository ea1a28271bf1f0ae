// expect: wrong 7/8
// fails: two matrix products per step
// why: multiplies for each gate alone: eight products per step
/** One step: the state behind `x` (n, inputs). */
function lstmCell({ W, U, b }: LstmParameters, { h, c }: LstmState, x: Tensor): LstmState {
  const [i, f, g, o] = [0, 1, 2, 3].map((k) => {
    const part = (m: Tensor) => mlsys.split(m, 4, m.ndim - 1)[k];
    return x.matmul(part(W)).add(h.matmul(part(U))).add(part(b));
  });
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
    const next = lstmCell(parameters, state, mlsys.where(goesOn, xs.at(t), 0));
    state = { h: mlsys.where(goesOn, next.h, state.h), c: mlsys.where(goesOn, next.c, state.c) };
    outputs.push(mlsys.where(goesOn, next.h, nothing));
  }
  return { outputs: mlsys.stack(outputs), ...state };
}
