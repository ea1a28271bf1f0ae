/**
 * What converted code calls. Each helper looks at its predicate: a plain value gets the meaning that JavaScript gives it; a
 * value that is not known yet, because a graph is being captured, becomes control flow of the graph.
 */
import { formatType } from "../../core/shape.js";
import { Tensor } from "../../core/tensor.js";
import { asTensor, type TensorLike } from "../../ops/convert.js";
import * as ops from "../../ops/index.js";
import { cond, whileLoop } from "../control/index.js";
import { asScalar, hostValue, stageRegion } from "../control/region.js";
import { ConversionError } from "./conversion-error.js";
import { RETURN_VALUE } from "./jumps.js";

type Get = () => unknown[];
type Set = (next: unknown[]) => void;

/** True for tensors whose elements the host program cannot know. */
const unknown = (x: unknown): x is Tensor => x instanceof Tensor && hostValue(x) === null;

type Operator = (a: TensorLike, b: TensorLike) => Tensor;

const TENSOR_OPERATORS: Record<string, Operator> = {
  "+": ops.add,
  "-": ops.sub,
  "*": ops.mul,
  "/": ops.div,
  "%": ops.remainder,
  "**": ops.pow,
  "<": ops.less,
  "<=": ops.lessEqual,
  ">": ops.greater,
  ">=": ops.greaterEqual,
  "==": ops.equal,
  "===": ops.equal,
  "!=": ops.notEqual,
  "!==": ops.notEqual,
};

type Any = number; // operands of JavaScript's own operators, whatever they are

const PLAIN_OPERATORS: Record<string, (a: Any, b: Any) => unknown> = {
  "+": (a, b) => a + b,
  "-": (a, b) => a - b,
  "*": (a, b) => a * b,
  "/": (a, b) => a / b,
  "%": (a, b) => a % b,
  "**": (a, b) => a ** b,
  "<": (a, b) => a < b,
  "<=": (a, b) => a <= b,
  ">": (a, b) => a > b,
  ">=": (a, b) => a >= b,
  // biome-ignore lint/suspicious/noDoubleEquals: the meaning of the reader's own operator
  "==": (a, b) => a == b,
  "===": (a, b) => a === b,
  // biome-ignore lint/suspicious/noDoubleEquals: the meaning of the reader's own operator
  "!=": (a, b) => a != b,
  "!==": (a, b) => a !== b,
};

const MATH: Record<string, (...args: TensorLike[]) => Tensor> = {
  abs: ops.abs,
  exp: ops.exp,
  expm1: ops.expm1,
  log: ops.log,
  log1p: ops.log1p,
  log2: ops.log2,
  sqrt: ops.sqrt,
  sin: ops.sin,
  cos: ops.cos,
  tan: ops.tan,
  tanh: ops.tanh,
  sinh: ops.sinh,
  cosh: ops.cosh,
  floor: ops.floor,
  ceil: ops.ceil,
  sign: ops.sign,
  pow: ops.pow,
  max: (...args) => args.slice(1).reduce<Tensor>((a, b) => ops.maximum(a, b), asTensor(args[0])),
  min: (...args) => args.slice(1).reduce<Tensor>((a, b) => ops.minimum(a, b), asTensor(args[0])),
};

export class Runtime {
  constructor(private readonly name: string) {}

  /** `if (test) … else …` */
  branch(
    line: number,
    test: unknown,
    then: () => void,
    otherwise: () => void,
    get: Get,
    set: Set,
    names: string[],
    live: string[],
    effects: string[],
  ): void {
    if (!unknown(test)) {
      if (test) then();
      else otherwise();
      return;
    }
    this.refuse(effects, line, "branch");
    const before = get();
    const after = { yes: [] as unknown[], no: [] as unknown[] };
    const run = (side: "yes" | "no"): void => {
      set([...before]);
      if (side === "yes") then();
      else otherwise();
      after[side] = get();
    };
    const early = names.indexOf(RETURN_VALUE);
    const results = (side: "yes" | "no"): Record<string, unknown> => {
      run(side);
      if (side === "yes") this.checkDefined(line, names, live, after);
      const values = [...after[side]];
      if (early >= 0 && values[early] === undefined) {
        // nothing is returned on this side: a value of the other side's type stands there, which nobody reads
        if (side === "no")
          stageRegion(
            "then",
            typesOnly(() => run("yes")),
            [],
            "branch",
          );
        values[early] = zerosLike(after.yes[early] ?? after.no[early]);
      }
      const carried = names
        .map((name, i) => [name, values[i] ?? 0] as const)
        .filter(([name]) => live.includes(name));
      return Object.fromEntries(carried);
    };
    const result = this.staged(line, "branch", () =>
      cond(
        test,
        () => results("yes"),
        () => results("no"),
      ),
    );
    const next = names.map((name, i) => {
      if (!live.includes(name)) return before[i];
      return after.yes[i] === undefined && after.no[i] === undefined ? undefined : result[name];
    });
    set(next);
  }

  /** `while (test) …` */
  loop(
    line: number,
    test: () => unknown,
    body: () => void,
    get: Get,
    set: Set,
    names: string[],
    _live: string[],
    effects: string[],
  ): void {
    for (;;) {
      const goesOn = test();
      if (unknown(goesOn)) break;
      if (!goesOn) return;
      body();
    }
    this.refuse(effects, line, "loop");
    const initial = get();
    names.forEach((name, i) => {
      if (!isState(initial[i]))
        throw new ConversionError(
          `convert: ${this.name}, line ${line}: the loop changes "${name}", which is ${describe(initial[i])} before it; a loop in a graph carries numbers, booleans and tensors that exist when it begins${name === RETURN_VALUE ? ". Assign to a variable and return after the loop" : ""}`,
        );
    });
    const values = (state: unknown): unknown[] =>
      names.map((name) => (state as Record<string, unknown>)[name]);
    const [result] = this.staged(line, "loop", () =>
      whileLoop(
        (state: Record<string, unknown>) => {
          set(values(state));
          return test() as TensorLike;
        },
        (state: Record<string, unknown>): [Record<string, unknown>] => {
          set(values(state));
          body();
          return [this.typed(names, get(), initial)];
        },
        [this.typed(names, initial, initial)] as [Record<string, unknown>],
      ),
    );
    set(values(result));
  }

  /** `for (const item of items) …`; `stops` tells when a `break` was met. */
  each(_line: number, items: Iterable<unknown>, body: (item: unknown) => void, stops: () => unknown): void {
    for (const item of items) {
      body(item);
      const stopped = stops();
      if (!unknown(stopped) && stopped) return;
    }
  }

  choose(test: unknown, then: () => unknown, otherwise: () => unknown): unknown {
    return unknown(test) ? cond(test, then, otherwise) : test ? then() : otherwise();
  }

  and(a: unknown, b: () => unknown): unknown {
    return unknown(a) ? truth(a).logicalAnd(truth(b())) : a && b();
  }

  or(a: unknown, b: () => unknown): unknown {
    return unknown(a) ? truth(a).logicalOr(truth(b())) : a || b();
  }

  not(a: unknown): unknown {
    return unknown(a) ? truth(a).logicalNot() : !a;
  }

  negate(a: unknown): unknown {
    return unknown(a) ? a.neg() : -(a as Any);
  }

  binary(operator: string, a: unknown, b: unknown): unknown {
    if ((unknown(a) && isNumeric(b)) || (unknown(b) && isNumeric(a))) {
      return TENSOR_OPERATORS[operator](a as TensorLike, b as TensorLike);
    }
    return PLAIN_OPERATORS[operator](a as Any, b as Any);
  }

  /** `x.item()`: of a value that is not known yet, the value without its axes; a number carries no gradient, nor does this. */
  item(x: unknown): unknown {
    return unknown(x) ? ops.stopGradient(asScalar(x, "item", "tensor")) : (x as { item(): unknown }).item();
  }

  /** `Math.f(…)` */
  math(method: string, ...args: unknown[]): unknown {
    if (!args.some(unknown))
      return (Math as unknown as Record<string, (...args: unknown[]) => unknown>)[method](...args);
    const op = MATH[method];
    if (!op)
      throw new ConversionError(
        `convert: ${this.name}: Math.${method} of a tensor has no op; there are ${Object.keys(MATH).join(", ")}`,
      );
    return op(...(args as TensorLike[]));
  }

  /** `a[i]` */
  at(a: unknown, i: unknown): unknown {
    if (!unknown(i)) return (a as Record<string, unknown>)[i as string];
    const from =
      Array.isArray(a) && a.every((x) => x instanceof Tensor || typeof x === "number")
        ? ops.stack(a as TensorLike[])
        : a;
    if (from instanceof Tensor) return from.take(i.cast("int32"), 0);
    throw new ConversionError(
      `convert: ${this.name}: ${describe(a)} cannot be indexed by a tensor; a tensor, or a list of tensors of one shape, can`,
    );
  }

  /** A value that decides, where only plain values can. */
  plain(line: number, x: unknown): unknown {
    if (unknown(x))
      throw new ConversionError(
        `convert: ${this.name}, line ${line}: \`switch\` cannot decide by a tensor; use if and else`,
      );
    return x;
  }

  private checkDefined(
    line: number,
    names: readonly string[],
    live: readonly string[],
    { yes, no }: Readonly<Record<"yes" | "no", readonly unknown[]>>,
  ): void {
    names.forEach((name, i) => {
      if (name !== RETURN_VALUE && live.includes(name) && (yes[i] === undefined) !== (no[i] === undefined))
        throw new ConversionError(
          `convert: ${this.name}, line ${line}: "${name}" has a value after one side of this branch only; give it one before`,
        );
    });
  }

  private refuse(effects: readonly string[], line: number, what: string): void {
    if (effects.length > 0)
      throw new ConversionError(
        `convert: ${this.name}, line ${line}: this ${what} is decided by a tensor, so it becomes part of the graph, but ${effects.join("; ")}, which a graph cannot`,
      );
  }

  private staged<T>(line: number, what: string, make: () => T): T {
    try {
      return make();
    } catch (error) {
      if (error instanceof Error && !(error instanceof ConversionError))
        error.message = `convert: ${this.name}, line ${line}, in this ${what}: ${error.message}`;
      throw error;
    }
  }

  private named(names: readonly string[], values: readonly unknown[]): Record<string, unknown> {
    return Object.fromEntries(names.map((name, i) => [name, values[i]]));
  }

  /** Numbers of the state as tensors of one dtype from the first round on. */
  private typed(
    names: readonly string[],
    values: readonly unknown[],
    first: readonly unknown[],
  ): Record<string, unknown> {
    return this.named(
      names,
      values.map((v, i) => {
        const dtype =
          first[i] instanceof Tensor ? first[i].dtype : typeof first[i] === "boolean" ? "bool" : undefined;
        if (typeof v === "number" || typeof v === "boolean")
          return dtype ? asTensor(v).cast(dtype) : asTensor(v);
        return v;
      }),
    );
  }
}

const isNumeric = (x: unknown): boolean =>
  typeof x === "number" || typeof x === "boolean" || x instanceof Tensor;

const truth = (x: unknown): Tensor => {
  const t = asTensor(x as TensorLike);
  return t.dtype === "bool" ? t : t.notEqual(0);
};

/** A region that is written only to see the types in it. */
const typesOnly = (body: () => void) => (): number => {
  body();
  return 0;
};

function zerosLike(x: unknown): unknown {
  return x instanceof Tensor ? ops.full(x.shape, 0, { dtype: x.dtype }) : typeof x === "boolean" ? false : 0;
}

/** Can be carried by a loop. */
function isState(x: unknown): boolean {
  if (typeof x === "number" || typeof x === "boolean" || x instanceof Tensor) return true;
  if (Array.isArray(x)) return x.every(isState);
  return (
    typeof x === "object" &&
    x !== null &&
    Object.getPrototypeOf(x) === Object.prototype &&
    Object.values(x).every(isState)
  );
}

function describe(x: unknown): string {
  if (x instanceof Tensor) return formatType(x);
  if (x === undefined || x === null) return String(x);
  return Array.isArray(x)
    ? "an array"
    : typeof x === "object"
      ? `a ${x.constructor?.name ?? "object"}`
      : `a ${typeof x}`;
}
