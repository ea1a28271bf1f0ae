// expect: wrong 2/7
// why: calls the operators that it should rebuild
function places(size: number, window: number, stride: number, padding: number): number {
  if (window > size + 2 * padding) throw new Error(`a window of ${window} does not fit into ${size + 2 * padding}`);
  return Math.floor((size + 2 * padding - window) / stride) + 1;
}

function convolve(x: Picture, kernels: Kernels, bias: number[], { stride = 1, padding = 0 }: WindowOptions = {}): Picture {
  const y = mlsys.conv2d(tensor([x], { dtype: "float64" }), tensor(kernels, { dtype: "float64" }), { stride, padding });
  return y.squeeze(0).add(tensor(bias, { dtype: "float64" }).reshape([-1, 1, 1])).toArray() as Picture;
}

function pool(x: Picture, kind: "max" | "mean", size: number, { stride = size, padding = 0 }: WindowOptions = {}): Picture {
  return x.map((channel) =>
    Array.from({ length: places(channel.length, size, stride, padding) }, (_r, row) =>
      Array.from({ length: places(channel[0].length, size, stride, padding) }, (_c, column) => {
        const values: number[] = [];
        for (let p = row * stride - padding; p < row * stride - padding + size; p++)
          for (let q = column * stride - padding; q < column * stride - padding + size; q++) values.push(channel[p]?.[q] ?? (kind === "max" ? -Infinity : 0));
        return kind === "max" ? Math.max(...values) : values.reduce((a, b) => a + b, 0) / size ** 2;
      }),
    ),
  );
}
