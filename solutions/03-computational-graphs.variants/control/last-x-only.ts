// expect: wrong 4/6
// why: calls the reverse rule with the final value in every turn
interface ConditionalGradients {
  value: number[];
  dA: number[];
  dB: number[] | null;
  dC: number[] | null;
}

function conditional(A: number[], B: number[], C: number[], flag: boolean): ConditionalGradients {
  const taken = flag ? B : C;
  return {
    value: A.map((a, i) => a * taken[i]),
    dA: [...taken],
    dB: flag ? [...A] : null,
    dC: flag ? null : [...A],
  };
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
  const stack: number[] = [];
  let x = x0;
  while (condition(x)) {
    stack.push(x);
    x = body(x, w);
  }
  const turns = stack.length;
  let dx = 1;
  let dw = 0;
  while (stack.length > 0) {
    const [gx, gw] = bodyVjp((stack.pop(), x), w, dx);
    dx = gx;
    dw += gw;
  }
  return { value: x, turns, dx, dw };
}
