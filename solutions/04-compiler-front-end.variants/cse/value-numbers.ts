// expect: correct
// why: numbers for values, names looked up at the end
function eliminate(code: Instruction[], result: Operand): { code: Instruction[]; result: Operand } {
  const numbers = new Map<string, number>();
  const holders: Operand[] = [];
  const keyOf = (x: Operand) => (typeof x === "number" ? "#" + (Object.is(x, -0) ? "-0" : x) : x);
  const fresh = (holder: Operand) => holders.push(holder) - 1;
  const numberOf = (x: Operand): number => {
    let n = numbers.get(keyOf(x));
    if (n === undefined) {
      n = fresh(x);
      numbers.set(keyOf(x), n);
    }
    return n;
  };
  let expressions: Record<string, number> = {};
  let cells: Record<string, number> = {};
  const out: Instruction[] = [];
  for (const { to, op, args } of code) {
    const isMemory = op === "load" || op === "store";
    const shown = args.map((x, i) => (isMemory && i === 0 ? x : holders[numberOf(x)]));
    if (op === "load" && args[0] in cells) {
      numbers.set(to, cells[args[0]]);
      continue;
    }
    if (["+", "-", "*", "/"].includes(op)) {
      let pair = args.map(numberOf);
      if (op === "+" || op === "*") pair = pair.sort((p, q) => p - q);
      const key = op + pair.join(":");
      if (key in expressions) {
        numbers.set(to, expressions[key]);
        continue;
      }
      expressions = { ...expressions, [key]: numberOf(to) };
    } else if (op === "load") cells[args[0]] = numberOf(to);
    else if (op === "store") cells[args[0]] = numberOf(args[1]);
    else cells = {};
    out.push({ to, op, args: shown });
  }
  return { code: out, result: holders[numberOf(result)] };
}
