// expect: wrong 5/8
// fails: effects stay, each of them and in order; after one, memory is unknown and arithmetic is not | random programs compute the same, and nothing twice
// why: treats every op but store as pure
/** The code without repeated computations. */
function eliminate(code: Instruction[], result: Operand): { code: Instruction[]; result: Operand } {
  const kept: Instruction[] = [];
  const renamed = new Map<Operand, Operand>();
  const known = new Map<string, Operand>();
  const memory = new Map<Operand, Operand>();
  const current = (x: Operand): Operand => (renamed.has(x) ? renamed.get(x)! : x);
  for (const { to, op, args } of code) {
    const given = args.map(current);
    if (op === "load") {
      if (memory.has(given[0])) renamed.set(to, memory.get(given[0])!);
      else {
        memory.set(given[0], to);
        kept.push({ to, op, args: given });
      }
    } else if (op !== "store") {
      const words = given.map((x) => `${typeof x} ${Object.is(x, -0) ? "-0" : x}`);
      const key = `${op} ${(op === "+" || op === "*" ? words.sort() : words).join()}`;
      if (known.has(key)) renamed.set(to, known.get(key)!);
      else {
        known.set(key, to);
        kept.push({ to, op, args: given });
      }
    } else {
      if (op === "store") memory.set(given[0], given[1]);
      else memory.clear();
      kept.push({ to, op, args: given });
    }
  }
  return { code: kept, result: current(result) };
}
