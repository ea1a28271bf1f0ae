// expect: wrong 4/6
// fails: code computes what the tree means | names are t1, t2, … in the order of the instructions, operands left to right
// why: computes the right operand first
interface Lowered {
  code: Instruction[];
  /** Name or number that holds the value of the expression. */
  result: Operand;
}

/** Three-address code of an expression. */
function lower(e: Expr): Lowered {
  const code: Instruction[] = [];
  const visit = (part: Expr): Operand => {
    if (part.kind === "leaf") return part.value;
    const args = part.kind === "op" ? [visit(part.right), visit(part.left)].reverse() : part.args.map(visit);
    const to = `t${code.length + 1}`;
    code.push({ to, op: part.kind === "op" ? part.op : part.name, args });
    return to;
  };
  const result = visit(e);
  return { code, result };
}

/** Stack machine code of an expression. */
function stackCode(e: Expr): string[] {
  const words = { "+": "add", "-": "subtract", "*": "multiply", "/": "divide" };
  if (e.kind === "leaf") return [`push ${e.value}`];
  if (e.kind === "op") return [...stackCode(e.left), ...stackCode(e.right), words[e.op]];
  return [...e.args.flatMap((arg) => stackCode(arg)), `call ${e.name} ${e.args.length}`];
}
