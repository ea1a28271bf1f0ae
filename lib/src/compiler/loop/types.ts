/** Types of expressions, and what each expression requires of its operands. */
import { type Expr, LoopError, type LoopType } from "./ir.js";
import { operator, takesType } from "./operators.js";

/** Type of the value. @throws LoopError naming operator and operand if an operand's type does not fit. */
export function typeOf(e: Expr): LoopType {
  switch (e.kind) {
    case "constant":
    case "name":
      return e.dtype;
    case "cast":
      typeOf(e.of); // its operands must fit too
      return e.dtype;
    case "load":
      return e.buffer.dtype;
    case "index":
      return "int32";
    case "op": {
      const row = operator(e.op);
      if (e.args.length !== row.arity)
        throw new LoopError(
          `${e.op} takes ${row.arity} operand${row.arity === 1 ? "" : "s"}, not ${e.args.length}`,
        );
      const types = e.args.map(typeOf);
      if (types.some((t) => t !== types[0]))
        throw new LoopError(`${e.op} of ${types.join(" and ")}: operands have one type`);
      if (!takesType(e.op, types[0]))
        throw new LoopError(
          `${e.op} does not take ${types[0]}${isStored(types[0]) ? "; cast it first" : ""}`,
        );
      return row.result === "bool" ? "bool" : types[0];
    }
    case "select": {
      const [c, a, b] = e.args.map(typeOf);
      if (c !== "bool") throw new LoopError(`select: the condition is ${c}, not bool`);
      if (a !== b) throw new LoopError(`select: ${a} or ${b}; both have one type`);
      return a;
    }
    case "when": {
      const [a, b] = [typeOf(e.yes), typeOf(e.no)];
      if (a !== b) throw new LoopError(`when: ${a} or ${b}; both have one type`);
      return a;
    }
  }
}

/** Types that are only stored, never computed with. */
export function isStored(dtype: LoopType): boolean {
  return dtype === "int8" || dtype === "uint8" || dtype === "bfloat16" || dtype === "float16";
}
