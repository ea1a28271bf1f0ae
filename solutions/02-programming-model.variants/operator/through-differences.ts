// expect: correct
// why: rules through all differences (…, n, m, d); the kernel walks by strides
function defineSquaredDistance(name: string): (x: Tensor, y: Tensor) => Tensor {
  const differences = (x: Tensor, y: Tensor) => x.expandDims(x.ndim - 1).sub(y.expandDims(y.ndim - 2));

  const op: mlsys.OpDef<None> = mlsys.defineOp<None>({
    name,
    type([x, y]) {
      const types = [x, y].map(({ dtype }) => dtype).join(" and ");
      if (!["float32 and float32", "float64 and float64"].includes(types)) throw new mlsys.DTypeError(`${name} can't work on ${types}`);
      const rank = x.shape.length;
      const leading = (shape: readonly number[]) => [...shape.slice(0, -2), shape.at(-1)].join();
      if (rank < 2 || rank !== y.shape.length || leading(x.shape) !== leading(y.shape))
        throw new mlsys.ShapeError(`${name}: (${x.shape.join(", ")}) and (${y.shape.join(", ")}) do not fit`);
      return [{ dtype: x.dtype, shape: [...x.shape.slice(0, -1), y.shape[rank - 2]] }];
    },
    reference([x, y], [out]) {
      const rank = x.shape.length;
      const [n, m, d] = [x.shape[rank - 2], y.shape[rank - 2], x.shape[rank - 1]];
      let at = 0;
      const walk = (axis: number, startX: number, startY: number) => {
        if (axis < rank - 2) {
          for (let i = 0; i < x.shape[axis]; i++) walk(axis + 1, startX + i * x.strides[axis], startY + i * y.strides[axis]);
          return;
        }
        for (let i = 0; i < n; i++)
          for (let j = 0; j < m; j++) {
            const [fromX, fromY] = [startX + i * x.strides[axis], startY + j * y.strides[axis]];
            let sum = 0;
            for (let k = 0; k < d; k++) sum += (Number(x.data[fromX + k * x.strides[axis + 1]]) - Number(y.data[fromY + k * y.strides[axis + 1]])) ** 2;
            out.data[at++] = sum;
          }
      };
      walk(0, x.offset, y.offset);
    },
    saves: { inputs: "all" },
    vjp([g], { inputs: [x, y] }) {
      const sent = differences(x, y).mul(g!.expandDims(g!.ndim).mul(2));
      return [sent.sum(-2), sent.sum(-3).neg()];
    },
    jvp([x, y], [tx, ty]) {
      const moved = tx && ty ? differences(tx, ty) : tx ? tx.expandDims(tx.ndim - 1) : ty!.expandDims(ty!.ndim - 2).neg();
      return [differences(x, y).mul(moved).sum(-1).mul(2)];
    },
    batch([x, y], [axisX, axisY], attrs, size) {
      return { outputs: [apply(op, [withBatch(x, axisX, size), withBatch(y, axisY, size)], attrs)], axes: [0] };
    },
    samples: [{ shapes: [[2, 3], [4, 3]] }],
  });
  return (x, y) => apply(op, [x, y], {});
}
