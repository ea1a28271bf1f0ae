// expect: wrong 5/8
// fails: a load after a store of the same variable is the stored value | a store to one variable leaves what is known of the others | effects stay, each of them and in order; after one, memory is unknown and arithmetic is not
// why: a load stays known across a store
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
      const key = `${op} ${(op === "+" || op === "*" ? words.sort() : words).join()}`;
      if (known.has(key)) renamed.set(to, known.get(key)!);
      else {
        known.set(key, to);
        kept.push({ to, op, args: given });
      }
    } else {
      kept.push({ to, op, args: given });
    }
  }
  return { code: kept, result: current(result) };
}
