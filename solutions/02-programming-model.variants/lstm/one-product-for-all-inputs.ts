// expect: correct
// why: multiplies all inputs at once, then walks with scan; the candidate by 2σ(2g) − 1
function gated(sums: Tensor, c: Tensor): LstmState {
  const size = c.shape[1];
  const part = (k: number) => sums.slice(":", [k * size, (k + 1) * size]);
  const candidate = part(2).mul(2).sigmoid().mul(2).sub(1);
  const memory = part(1).sigmoid().mul(c).add(part(0).sigmoid().mul(candidate));
  return { h: part(3).sigmoid().mul(memory.tanh()), c: memory };
}

function lstmCell({ W, U, b }: LstmParameters, { h, c }: LstmState, x: Tensor): LstmState {
  return gated(mlsys.concat([x, h], 1).matmul(mlsys.concat([W, U])).add(b), c);
}

function lstm({ W, U, b }: LstmParameters, xs: Tensor, options: LstmOptions = {}): LstmState & { outputs: Tensor } {
  const [steps, n, inputs] = xs.shape;
  const { dtype } = xs;
  const ends = tensor([...(options.lengths ?? new Array<number>(n).fill(steps))], { dtype: "int32" });
  const inside = mlsys.less(mlsys.arange(steps).cast("int32").reshape([steps, 1, 1]), ends.reshape([1, n, 1]));
  const sums = mlsys.where(inside, xs, 0).reshape([steps * n, inputs]).matmul(W).add(b).reshape([steps, n, b.shape[0]]);
  const zeros = mlsys.zeros([n, U.shape[0]], { dtype });
  const begin = options.start ?? { h: zeros, c: zeros };
  const [end, outputs] = mlsys.scan(
    ({ h, c }: LstmState, [sum, on]: [Tensor, Tensor]): [LstmState, Tensor] => {
      const next = gated(sum.add(h.matmul(U)), c);
      const kept = { h: mlsys.where(on, next.h, h), c: mlsys.where(on, next.c, c) };
      return [kept, mlsys.where(on, next.h, mlsys.zerosLike(h))];
    },
    begin,
    [sums, inside],
  );
  return { ...end, outputs: outputs as Tensor };
}
