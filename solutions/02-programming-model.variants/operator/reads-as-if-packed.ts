// expect: wrong 7/9
// fails: views as inputs, a batch in front, and points that are close | batching rule: any axis, either input, one run
// why: ignores strides: right for tensors that were just made
/** Registers D[i, j] = |x[i] − y[j]|² under `name`; returns the function that applies it. */
function defineSquaredDistance(name: string): (x: Tensor, y: Tensor) => Tensor {
  const shown = (shape: readonly number[]) => `(${shape.join(", ")})`;
  const op: mlsys.OpDef<None> = mlsys.defineOp<None>({
    name,
    type: ([x, y]) => {
      if (x.dtype !== y.dtype || !["float32", "float64"].includes(x.dtype))
        throw new mlsys.DTypeError(`${name}: both float32 or both float64 wanted, got ${x.dtype} and ${y.dtype}`);
      const [a, b] = [x.shape, y.shape];
      const fits = a.length >= 2 && a.length === b.length && a.every((dim, i) => i === a.length - 2 || dim === b[i]);
      if (!fits) throw new mlsys.ShapeError(`${name}: (…, n, d) and (…, m, d) wanted, got ${shown(a)} and ${shown(b)}`);
      return [{ shape: [...a.slice(0, -1), b[b.length - 2]], dtype: x.dtype }];
    },
    reference: ([x, y], [out]) => {
            const [n, d] = x.shape.slice(-2);
      const m = y.shape[y.shape.length - 2];
      const size = out.shape.reduce((product, dim) => product * dim, 1);
      for (let at = 0; at < size; at++) {
        const batch = Math.floor(at / (n * m));
        const i = batch * n + (Math.floor(at / m) % n);
        const j = batch * m + (at % m);
        let sum = 0;
        for (let k = 0; k < d; k++) {
          const difference = Number(x.data[x.offset + i * d + k]) - Number(y.data[y.offset + j * d + k]);
          sum += difference * difference;
        }
        out.data[at] = sum;
      }
    },
    saves: { inputs: "all" },
    vjp: ([g], { inputs: [x, y] }) => {
      if (!g) return [null, null];
      const back = (weights: Tensor, mine: Tensor, other: Tensor) => mine.mul(weights.sum(-1, true)).sub(weights.matmul(other)).mul(2);
      return [back(g, x, y), back(g.swapAxes(-2, -1), y, x)];
    },
    jvp: ([x, y], [tx, ty]) => {
      const against = (mine: Tensor, tangent: Tensor, other: Tensor) => mine.mul(tangent).sum(-1, true).sub(tangent.matmul(other.swapAxes(-2, -1))).mul(2);
      const fromX = tx && against(x, tx, y);
      const fromY = ty && against(y, ty, x).swapAxes(-2, -1);
      return [fromX && fromY ? fromX.add(fromY) : (fromX ?? fromY)];
    },
    batch: (inputs, axes, _attrs, size) => ({
      outputs: [
        apply(
          op,
          inputs.map((x, i) => withBatch(x, axes[i], size)),
          {},
        ),
      ],
      axes: [0],
    }),
    samples: [{ shapes: [[2, 3], [4, 3]] }],
  });
  return (x, y) => apply(op, [x, y], {});
}
