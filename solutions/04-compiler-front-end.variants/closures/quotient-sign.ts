// expect: wrong 5/9
// fails: branches: only the one that was taken | random programs, against central differences
// why: the quotient with a plus
/** The result of a function and its bprop. */
function fprop(program: Func[], name: string, args: number[]): [result: number, bprop: (dout: number) => number[]] {
  const f = program.find((each) => each.name === name)!;
  const values = new Map<Operand, number>(f.params.map((param, i) => [param, args[i]]));
  const read = (x: Operand): number => (typeof x === "number" ? x : values.get(x)!);
  const backs: { to: string; operands: Operand[]; bprop: (dout: number) => number[] }[] = [];
  for (const { to, op, args: written } of f.code) {
    let operands = written;
    let [y, bprop]: [number, (dout: number) => number[]] = [0, () => []];
    if (op === "call" || op === "if") {
      const at = op === "call" ? 0 : read(written[0]) > 0 ? 1 : 2;
      operands = written.slice(op === "call" ? 1 : 3);
      [y, bprop] = fprop(program, String(written[at]).slice(1), operands.map(read));
    } else {
      const [a, b] = written.map(read);
      switch (op) {
        case "+":
          [y, bprop] = [a + b, (d) => [d, d]];
          break;
        case "-":
          [y, bprop] = [a - b, (d) => [d, -d]];
          break;
        case "*":
          [y, bprop] = [a * b, (d) => [d * b, d * a]];
          break;
        case "/":
          [y, bprop] = [a / b, (d) => [d / b, (d * a) / (b * b)]];
          break;
        case "sin":
          [y, bprop] = [Math.sin(a), (d) => [d * Math.cos(a)]];
          break;
        case "exp": {
          const e = Math.exp(a);
          [y, bprop] = [e, (d) => [d * e]];
          break;
        }
        case "log":
          [y, bprop] = [Math.log(a), (d) => [d / a]];
          break;
        default:
          [y, bprop] = [Math.max(a, 0), (d) => [a > 0 ? d : 0]];
      }
    }
    values.set(to, y);
    backs.push({ to, operands, bprop });
  }
  const back = (dout: number): number[] => {
    const arrived = new Map<Operand, number>();
    const send = (to: Operand, d: number) => arrived.set(to, (arrived.get(to) ?? 0) + d);
    send(f.result, dout);
    for (const { to, operands, bprop } of backs.toReversed()) {
      const d = arrived.get(to);
      if (d !== undefined) bprop(d).forEach((part, i) => send(operands[i], part));
    }
    return f.params.map((param) => arrived.get(param) ?? 0);
  };
  return [read(f.result), back];
}
