// expect: wrong 7/8
// fails: commutative or not
// why: sorts the operands of every op
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
    } else if (op in ARITHMETIC) {
      const words = given.map((x) => `${typeof x} ${Object.is(x, -0) ? "-0" : x}`);
      const key = `${op} ${words.sort().join()}`;
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
