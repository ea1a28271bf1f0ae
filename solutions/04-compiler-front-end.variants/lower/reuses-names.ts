// expect: wrong 3/6
// fails: a - b*5, as three-address code | code computes what the tree means | names are t1, t2, … in the order of the instructions, operands left to right
// why: one temporary for each depth: names are assigned twice
interface Lowered {
  code: Instruction[];
  /** Name or number that holds the value of the expression. */
  result: Operand;
}

/** Three-address code of an expression. */
function lower(e: Expr): Lowered {
  const code: Instruction[] = [];
  const visit = (part: Expr, depth = 1): Operand => {
    if (part.kind === "leaf") return part.value;
    const args = part.kind === "op" ? [visit(part.left, depth + 1), visit(part.right, depth + 1)] : part.args.map((arg) => visit(arg, depth + 1));
    const to = `t${depth}`;
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
