// expect: correct
// why: without recursion: a list of what is left to do
interface Lowered {
  code: Instruction[];
  result: Operand;
}

function lower(e: Expr): Lowered {
  const code: Instruction[] = [];
  const done: Operand[] = [];
  const todo: [Expr, boolean][] = [[e, false]];
  while (todo.length > 0) {
    const [part, ready] = todo.pop()!;
    if (part.kind === "leaf") {
      done.push(part.value);
      continue;
    }
    const operands = part.kind === "op" ? [part.left, part.right] : part.args;
    if (!ready) {
      todo.push([part, true]);
      for (let i = operands.length - 1; i >= 0; i--) todo.push([operands[i], false]);
      continue;
    }
    const args = done.splice(done.length - operands.length, operands.length);
    const to = "t" + (code.length + 1);
    code.push({ to, op: part.kind === "op" ? part.op : part.name, args });
    done.push(to);
  }
  return { code, result: done[0] };
}

function stackCode(e: Expr): string[] {
  const lines: string[] = [];
  const emit = (part: Expr): void => {
    switch (part.kind) {
      case "leaf":
        lines.push("push " + part.value);
        break;
      case "op":
        emit(part.left);
        emit(part.right);
        lines.push(part.op === "+" ? "add" : part.op === "-" ? "subtract" : part.op === "*" ? "multiply" : "divide");
        break;
      default:
        part.args.forEach(emit);
        lines.push("call " + part.name + " " + part.args.length);
    }
  };
  emit(e);
  return lines;
}
