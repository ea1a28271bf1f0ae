// expect: wrong 5/7
// fails: the book's figure: 12 and 11 | the bias is added once per number, each channel's own
// why: adds the bias for every weight of the window, as a published model answer does
/** How often a window stands along an axis. @throws Error when it does not fit */
function places(size: number, window: number, stride: number, padding: number): number {
  if (window > size + 2 * padding) throw new Error(`a window of ${window} does not fit into ${size + 2 * padding} (padding included)`);
  return Math.floor((size + 2 * padding - window) / stride) + 1;
}

/** Slides `kernels` over `x`. @throws Error when channels differ or a window does not fit */
function convolve(
  x: Picture,
  kernels: Kernels,
  bias: number[],
  { stride = 1, padding = 0 }: WindowOptions = {},
): Picture {
  const [height, width] = [x[0].length, x[0][0].length];
  const [kernelHeight, kernelWidth] = [kernels[0][0].length, kernels[0][0][0].length];
  const rows = places(height, kernelHeight, stride, padding);
  const columns = places(width, kernelWidth, stride, padding);
  return kernels.map((kernel, o) => {
    if (kernel.length !== x.length) throw new Error(`convolve: kernel ${o} is for ${kernel.length} channels, the picture has ${x.length}`);
    return Array.from({ length: rows }, (_r, row) =>
      Array.from({ length: columns }, (_c, column) => {
        let sum = 0;
        kernel.forEach((window, c) => {
          window.forEach((line, p) => {
            line.forEach((weight, q) => {
              sum += bias[o] + weight * (x[c][row * stride + p - padding]?.[column * stride + q - padding] ?? 0);
            });
          });
        });
        return sum;
      }),
    );
  });
}

/** Largest value or mean of each window of each channel. @throws Error when it does not fit */
function pool(
  x: Picture,
  kind: "max" | "mean",
  size: number,
  { stride = size, padding = 0 }: WindowOptions = {},
): Picture {
  const outside = kind === "max" ? Number.NEGATIVE_INFINITY : 0;
  return x.map((channel) =>
    Array.from({ length: places(channel.length, size, stride, padding) }, (_r, row) =>
      Array.from({ length: places(channel[0].length, size, stride, padding) }, (_c, column) => {
        const values: number[] = [];
        for (let p = 0; p < size; p++)
          for (let q = 0; q < size; q++) values.push(channel[row * stride + p - padding]?.[column * stride + q - padding] ?? outside);
        return kind === "max" ? Math.max(...values) : values.reduce((a, b) => a + b) / values.length;
      }),
    ),
  );
}
