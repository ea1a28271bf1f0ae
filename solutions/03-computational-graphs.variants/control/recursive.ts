// expect: correct
// why: the call stack is the stack
interface ConditionalGradients {
  value: number[];
  dA: number[];
  dB: number[] | null;
  dC: number[] | null;
}

function conditional(A: number[], B: number[], C: number[], flag: boolean): ConditionalGradients {
  if (flag) return { value: A.map((a, i) => a * B[i]), dA: B.slice(), dB: A.slice(), dC: null };
  return { value: A.map((a, i) => a * C[i]), dA: C.slice(), dB: null, dC: A.slice() };
}

interface WhileGradients {
  value: number;
  turns: number;
  dx: number;
  dw: number;
}

function whileGradient(
  condition: (x: number) => boolean,
  body: (x: number, w: number) => number,
  bodyVjp: (x: number, w: number, g: number) => [gx: number, gw: number],
  x0: number,
  w: number,
): WhileGradients {
  if (!condition(x0)) return { value: x0, turns: 0, dx: 1, dw: 0 };
  const rest = whileGradient(condition, body, bodyVjp, body(x0, w), w);
  const [gx, gw] = bodyVjp(x0, w, rest.dx);
  return { value: rest.value, turns: rest.turns + 1, dx: gx, dw: rest.dw + gw };
}
