// expect: correct
// why: with loops, from what a unit input gives
interface Norm {
  gamma: number[];
  beta: number[];
  mean: number[];
  variance: number[];
  epsilon: number;
}
interface Layer {
  w: number[][];
  b: number[];
}

const through = (v: number, c: number, bn: Norm): number =>
  ((v - bn.mean[c]) * bn.gamma[c]) / Math.pow(bn.variance[c] + bn.epsilon, 0.5) + bn.beta[c];

function foldBehind(w: number[][], b: number[] | null, bn: Norm): Layer {
  const out: Layer = { w: [], b: [] };
  for (let o = 0; o < w.length; o++) {
    const bias = b === null ? 0 : b[o];
    const atZero = through(bias, o, bn);
    out.b.push(atZero);
    const slope = bn.gamma[o] / Math.sqrt(bn.variance[o] + bn.epsilon);
    out.w.push(Array.from(w[o], (v) => slope * v));
  }
  return out;
}

function foldAhead(bn: Norm, w: number[][], b: number[] | null, taps: number): Layer {
  const out: Layer = { w: [], b: [] };
  for (let o = 0; o < w.length; o++) {
    let sum = b === null ? 0 : b[o];
    const row: number[] = [];
    for (let c = 0; c < bn.gamma.length; c++)
      for (let k = c * taps; k < (c + 1) * taps; k++) {
        sum += w[o][k] * through(0, c, bn);
        row.push(w[o][k] * (bn.gamma[c] / Math.sqrt(bn.variance[c] + bn.epsilon)));
      }
    out.w.push(row);
    out.b.push(sum);
  }
  return out;
}

function canFoldAhead(padding: number): boolean {
  return !(padding > 0);
}
