/**
 * The rules of loop IR: names, types, and that every access stays inside its buffer whatever the sizes are (proven from
 * the bounds of the loops and the conditions around it).
 */
import { type Affine, affine } from "./affine.js";
import { implied } from "./constraints.js";
import { gridProblems } from "./grid.js";
import {
  type Buffer,
  type Condition,
  LoopError,
  type LoopKernel,
  type Stmt,
  statementValue,
  walk,
  walkExpr,
} from "./ir.js";
import { printBlock } from "./print.js";
import { isStored, typeOf } from "./types.js";

/**
 * Every rule that a kernel breaks, in words; none: it is well formed.
 * @example problemsOf(matmul(4, 4, 4)) // []
 */
export function problemsOf(kernel: LoopKernel): string[] {
  const found: string[] = [];
  const outer = new Set(kernel.sizes);
  const loops = new Set<string>();
  const declared = new Set<string>();
  const note = (s: Stmt | null, message: string): void => {
    const where = s ? `: ${printBlock([s]).split("\n")[0]}` : "";
    found.push(`${kernel.name}${where}: ${message}`);
  };
  for (const buffer of kernel.params) checkBuffer(buffer, outer, declared, (m) => note(null, m));

  const visit = (body: readonly Stmt[], scope: Scope): void => {
    const here: Scope = { ...scope, buffers: new Set(scope.buffers), names: new Map(scope.names) };
    for (const s of body) visitStmt(s, here);
  };
  const visitStmt = (s: Stmt, scope: Scope): void => {
    const value = statementValue(s);
    if (value) {
      try {
        const type = typeOf(value);
        if ((s.kind === "store" || s.kind === "reduce") && type !== s.buffer.dtype)
          note(s, `a ${type} value for the ${s.buffer.dtype} buffer "${s.buffer.name}"`);
        if (s.kind === "reduce" && (isStored(type) || type === "bool"))
          note(s, `${type} values are not accumulated`);
      } catch (error) {
        note(s, (error as Error).message);
      }
      walkExpr(value, (e, under) => {
        if (e.kind === "load")
          access(s, e.buffer, e.indices, { ...scope, known: [...scope.known, ...under.map(known)] });
        else if (e.kind === "name" && scope.names.get(e.name) !== e.dtype)
          note(s, `no ${e.dtype} value is named "${e.name}" here`);
        else if (e.kind === "index") free(s, e.of, scope);
        else if (e.kind === "when")
          for (const c of e.conditions) for (const side of [c.left, c.right]) free(s, side, scope);
      });
    }
    switch (s.kind) {
      case "for": {
        if (loops.has(s.variable) || outer.has(s.variable))
          note(s, `the variable "${s.variable}" is used twice`);
        loops.add(s.variable);
        for (const bound of [s.from, s.to]) free(s, bound, scope);
        const v = affine(s.variable);
        visit(s.body, {
          ...scope,
          variables: new Set([...scope.variables, s.variable]),
          known: [...scope.known, v.minus(s.from), s.to.minus(v).minus(1)],
        });
        break;
      }
      case "if":
        for (const { left, right } of s.conditions) for (const side of [left, right]) free(s, side, scope);
        visit(s.body, { ...scope, known: [...scope.known, ...s.conditions.map(known)] });
        break;
      case "let":
        scope.names.set(s.name, value ? quietly(() => typeOf(value)) : undefined);
        break;
      case "alloc":
        checkBuffer(s.buffer, outer, declared, (m) => note(s, m));
        if (s.buffer.scope === "param") note(s, "a parameter is not declared inside");
        if (s.buffer.scope === "shared" && scope.variables.size > outer.size)
          note(s, "shared memory is declared at the top, outside all loops");
        scope.buffers.add(s.buffer.name);
        break;
      case "store":
      case "reduce":
        if (s.buffer.scope === "param" && !s.buffer.output) note(s, `"${s.buffer.name}" is an input`);
        access(s, s.buffer, s.indices, scope);
    }
  };
  const free = (s: Stmt, index: Affine, { variables }: Scope): void => {
    for (const v of index.variables()) if (!variables.has(v)) note(s, `no variable "${v}" here`);
  };
  const access = (s: Stmt, buffer: Buffer, indices: readonly Affine[], scope: Scope): void => {
    if (!scope.buffers.has(buffer.name)) note(s, `the buffer "${buffer.name}" is not declared here`);
    if (indices.length !== buffer.shape.length) {
      note(s, `"${buffer.name}" has ${buffer.shape.length} axes, not ${indices.length}`);
      return;
    }
    indices.forEach((index, axis) => {
      free(s, index, scope);
      if (!implied(index, scope.known))
        note(s, `index ${axis} of "${buffer.name}", ${index}, may be negative`);
      else if (!implied(buffer.shape[axis].minus(index).minus(1), scope.known))
        note(s, `index ${axis} of "${buffer.name}", ${index}, may reach its size ${buffer.shape[axis]}`);
    });
  };
  visit(kernel.body, {
    variables: outer,
    names: new Map(),
    buffers: new Set(kernel.params.map((b) => b.name)),
    known: kernel.sizes.map((name) => affine(name)),
  });
  walk(kernel.body, (s, around) => {
    for (const problem of gridProblems(s, around)) note(s, problem);
  });
  return found;
}

/**
 * The kernel, if it keeps all rules.
 * @throws LoopError with the first broken rule and the number of others.
 * @example verifyKernel(matmul(4, 4, 4)).name // "matmul"
 */
export function verifyKernel(kernel: LoopKernel): LoopKernel {
  const found = problemsOf(kernel);
  if (found.length > 0)
    throw new LoopError(found[0] + (found.length > 1 ? ` (and ${found.length - 1} more)` : ""));
  return kernel;
}

interface Scope {
  readonly variables: ReadonlySet<string>;
  readonly names: Map<string, string | undefined>;
  readonly buffers: Set<string>;
  /** Expressions that are ≥ 0 here. */
  readonly known: readonly Affine[];
}

/** left < right, as an expression that is ≥ 0. */
export const known = ({ left, right }: Condition): Affine => right.minus(left).minus(1);

function checkBuffer(
  b: Buffer,
  sizes: ReadonlySet<string>,
  declared: Set<string>,
  note: (message: string) => void,
): void {
  if (declared.has(b.name)) note(`two buffers are named "${b.name}"`);
  declared.add(b.name);
  for (const dim of [...b.shape, ...(b.strides ?? [])])
    for (const v of dim.variables())
      if (!sizes.has(v)) note(`the size "${v}" of "${b.name}" is not a size of the kernel`);
  if (b.scope === "register" && !b.shape.every((d) => d.isConstant))
    note(`the register buffer "${b.name}" has no constant shape`);
}

function quietly<T>(f: () => T): T | undefined {
  try {
    return f();
  } catch {
    return undefined;
  }
}
