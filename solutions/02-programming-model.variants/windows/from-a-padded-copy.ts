// expect: correct
// why: pads first, then adds each weight to all results that it touches
function places(size: number, window: number, stride: number, padding: number): number {
  let count = 0;
  for (let at = -padding; at + window <= size + padding; at += stride) count++;
  if (count === 0) throw new RangeError(`window ${window} > padded picture ${size + 2 * padding}`);
  return count;
}

function surrounded(channel: number[][], padding: number, by: number): number[][] {
  const side = new Array<number>(padding).fill(by);
  const rows = channel.map((row) => [...side, ...row, ...side]);
  const outside = () => Array.from({ length: padding }, () => new Array<number>(rows[0].length).fill(by));
  return [...outside(), ...rows, ...outside()];
}

function convolve(x: Picture, kernels: Kernels, bias: number[], options: WindowOptions = {}): Picture {
  const { stride = 1, padding = 0 } = options;
  if (kernels[0].length !== x.length) throw new Error(`${x.length} channels for kernels of ${kernels[0].length}`);
  const rows = places(x[0].length, kernels[0][0].length, stride, padding);
  const columns = places(x[0][0].length, kernels[0][0][0].length, stride, padding);
  const padded = x.map((channel) => surrounded(channel, padding, 0));
  const out = bias.map((b) => Array.from({ length: rows }, () => new Array<number>(columns).fill(b)));
  for (const [o, kernel] of kernels.entries())
    for (const [c, window] of kernel.entries())
      for (const [p, line] of window.entries())
        for (const [q, weight] of line.entries())
          for (let r = 0; r < rows; r++) for (let s = 0; s < columns; s++) out[o][r][s] += weight * padded[c][r * stride + p][s * stride + q];
  return out;
}

function pool(x: Picture, kind: "max" | "mean", size: number, options: WindowOptions = {}): Picture {
  const { stride = size, padding = 0 } = options;
  const rows = places(x[0].length, size, stride, padding);
  const columns = places(x[0][0].length, size, stride, padding);
  return x.map((channel) => {
    const padded = surrounded(channel, padding, kind === "max" ? -Infinity : 0);
    const out: number[][] = [];
    for (let r = 0; r < rows; r++) {
      out.push([]);
      for (let s = 0; s < columns; s++) {
        let result = kind === "max" ? -Infinity : 0;
        for (const row of padded.slice(r * stride, r * stride + size))
          for (const value of row.slice(s * stride, s * stride + size)) result = kind === "max" ? Math.max(result, value) : result + value / size / size;
        out[r].push(result);
      }
    }
    return out;
  });
}
