/**
 * Algorithm W: the most general type of an expression, with each step written down. (Damas and Milner 1982, "Principal
 * type-schemes for functional programs"; book, chapter 4.)
 */
import { displaySymbol, escapeHtml, type MimeBundle } from "../../core/display.js";
import { type Expression, format, parse } from "./syntax.js";
import {
  arrow,
  BOOL,
  compose,
  formatScheme,
  formatType,
  freeIn,
  INT,
  type Scheme,
  type Substitution,
  substitute,
  substituteScheme,
  type Type,
  TypeProblem,
  tuple,
  unify,
  variable,
  variablesOf,
} from "./types.js";

/** One step of the algorithm. */
export interface InferenceStep {
  readonly rule: "var" | "lit" | "abs" | "app" | "let" | "if" | "tuple" | "fix" | "unify";
  /** How deep in the expression. */
  readonly depth: number;
  readonly expression: string;
  /** What was found: a type, or a unifying substitution. */
  readonly found: string;
}

/** A type with the way to it; in notebooks a table. */
export class Inference {
  constructor(
    /** With variables named a, b, … in order. */
    readonly type: Type,
    readonly steps: readonly InferenceStep[],
  ) {}

  /** All variables generalized: `∀a. a -> a`. */
  get scheme(): Scheme {
    return { variables: variablesOf(this.type), type: this.type };
  }

  toString(): string {
    const lines = this.steps.map(
      ({ rule, depth, expression, found }) =>
        `${"  ".repeat(depth)}${rule.padEnd(5)} ${expression} : ${found}`,
    );
    return [...lines, formatScheme(this.scheme)].join("\n");
  }

  [displaySymbol](): MimeBundle {
    const rows = this.steps.map(
      ({ rule, depth, expression, found }, i) =>
        `<tr><td>${i + 1}</td><td>${rule}</td><td style="text-align: left; padding-left: ${depth + 0.5}em"><code>${escapeHtml(expression)}</code></td><td style="text-align: left"><code>${escapeHtml(found)}</code></td></tr>`,
    );
    const head = "<tr><th></th><th>rule</th><th>expression</th><th>type or substitution</th></tr>";
    return {
      "text/html": `<table>${head}${rows.join("")}</table><p><code>${escapeHtml(formatScheme(this.scheme))}</code></p>`,
      "text/plain": this.toString(),
    };
  }
}

type Environment = ReadonlyMap<string, Scheme>;

const binary = (from: Type, to: Type): Scheme => ({ variables: [], type: arrow(from, arrow(from, to)) });
const pairOf = (first: boolean): Scheme => ({
  variables: ["a", "b"],
  type: arrow(tuple([variable("a"), variable("b")]), variable(first ? "a" : "b")),
});

/** Names that every expression may use. */
export const PRELUDE: Environment = new Map<string, Scheme>([
  ...["+", "-", "*", "/"].map((op) => [`(${op})`, binary(INT, INT)] as const),
  ...["=", "<", ">"].map((op) => [`(${op})`, binary(INT, BOOL)] as const),
  ...["and", "or"].map((op) => [`(${op})`, binary(BOOL, BOOL)] as const),
  ["not", { variables: [], type: arrow(BOOL, BOOL) }],
  ["fst", pairOf(true)],
  ["snd", pairOf(false)],
]);

class AlgorithmW {
  readonly steps: InferenceStep[] = [];
  private next = 0;

  constructor(private readonly text: string) {}

  /** (substitution, type) such that the type holds in the substituted environment. */
  infer(env: Environment, e: Expression, depth: number): [Substitution, Type] {
    const step = (rule: InferenceStep["rule"], found: Type): Type => {
      this.steps.push({ rule, depth, expression: format(e), found: formatType(found) });
      return found;
    };
    switch (e.kind) {
      case "literal":
        return [new Map(), step("lit", typeof e.value === "number" ? INT : BOOL)];
      case "variable": {
        const scheme = env.get(e.name);
        if (!scheme) throw this.problem(e, `${e.name} is not defined`);
        return [new Map(), step("var", this.instance(scheme))];
      }
      case "lambda": {
        const parameter = this.fresh();
        const [s, result] = this.infer(extended(env, e.parameter, mono(parameter)), e.body, depth + 1);
        return [s, step("abs", arrow(substitute(s, parameter), result))];
      }
      case "apply": {
        const [s1, f] = this.infer(env, e.f, depth + 1);
        const [s2, argument] = this.infer(within(s1, env), e.argument, depth + 1);
        const result = this.fresh();
        const s3 = this.unified(substitute(s2, f), arrow(argument, result), e, depth);
        return [compose(s3, compose(s2, s1)), step("app", substitute(s3, result))];
      }
      case "let": {
        const [s1, value] = this.infer(env, e.value, depth + 1);
        const around = within(s1, env);
        const scheme = generalized(around, value);
        const [s2, body] = this.infer(extended(around, e.name, scheme), e.body, depth + 1);
        const shown = `${formatType(body)}, where ${e.name} : ${formatScheme(scheme)}`;
        this.steps.push({ rule: "let", depth, expression: format(e), found: shown });
        return [compose(s2, s1), body];
      }
      case "if": {
        const [s1, test] = this.infer(env, e.test, depth + 1);
        const s2 = compose(this.unified(test, BOOL, e.test, depth), s1);
        const [s3, then] = this.infer(within(s2, env), e.consequent, depth + 1);
        const s4 = compose(s3, s2);
        const [s5, otherwise] = this.infer(within(s4, env), e.alternate, depth + 1);
        const s6 = this.unified(substitute(s5, then), otherwise, e, depth);
        return [compose(s6, compose(s5, s4)), step("if", substitute(s6, otherwise))];
      }
      case "tuple": {
        let s: Substitution = new Map();
        let types: Type[] = [];
        for (const entry of e.entries) {
          const [inner, type] = this.infer(within(s, env), entry, depth + 1);
          types = [...types.map((t) => substitute(inner, t)), type];
          s = compose(inner, s);
        }
        return [s, step("tuple", tuple(types))];
      }
      case "fix": {
        const self = this.fresh();
        const [s1, body] = this.infer(extended(env, e.name, mono(self)), e.body, depth + 1);
        const s2 = this.unified(substitute(s1, self), body, e, depth);
        return [compose(s2, s1), step("fix", substitute(s2, body))];
      }
    }
  }

  private fresh(): Type {
    return variable(`t${this.next++}`);
  }

  /** The scheme's type with fresh variables for its own. */
  private instance({ variables, type }: Scheme): Type {
    return substitute(new Map(variables.map((name) => [name, this.fresh()])), type);
  }

  private unified(a: Type, b: Type, e: Expression, depth: number): Substitution {
    try {
      const s = unify(a, b);
      const found = [...s].map(([name, type]) => `${name} := ${formatType(type)}`).join(", ");
      const expression = `${formatType(a)} ~ ${formatType(b)}`;
      this.steps.push({ rule: "unify", depth, expression, found: found || "equal already" });
      return s;
    } catch (error) {
      if (error instanceof TypeProblem)
        throw this.problem(e, `${formatType(a)} and ${formatType(b)} do not unify: ${error.message}`);
      throw error;
    }
  }

  private problem(e: Expression, message: string): TypeProblem {
    const before = this.text.slice(0, e.at).split("\n");
    const column = before[before.length - 1].length + 1;
    return new TypeProblem(`line ${before.length}, column ${column}, in ${format(e)}: ${message}`);
  }
}

const mono = (type: Type): Scheme => ({ variables: [], type });

const extended = (env: Environment, name: string, scheme: Scheme): Environment =>
  new Map([...env, [name, scheme]]);

const within = (s: Substitution, env: Environment): Environment =>
  s.size === 0 ? env : new Map([...env].map(([name, scheme]) => [name, substituteScheme(s, scheme)]));

/** Variables that the environment does not hold fast stand for any type. */
function generalized(env: Environment, type: Type): Scheme {
  const held = new Set([...env.values()].flatMap(freeIn));
  return { variables: variablesOf(type).filter((name) => !held.has(name)), type };
}

/** The type with its variables named a, b, …, z, a1, … */
function renamed(type: Type): Type {
  const letter = (i: number): string =>
    String.fromCharCode(97 + (i % 26)) + (i < 26 ? "" : String(Math.floor(i / 26)));
  return substitute(new Map(variablesOf(type).map((name, i) => [name, variable(letter(i))])), type);
}

/**
 * The principal type of an expression (as text or parsed).
 * @throws TypeProblem with line, column and expression, where types do not unify or a name is not defined.
 * @example String(ir.hindleyMilner.infer("fn f x => f (f x)")).split("\n").at(-1) // "∀a. (a -> a) -> a -> a"
 */
export function infer(program: string | Expression, env: Environment = PRELUDE): Inference {
  const text = typeof program === "string" ? program : format(program);
  const w = new AlgorithmW(text);
  const [s, type] = w.infer(env, typeof program === "string" ? parse(program) : program, 0);
  return new Inference(renamed(substitute(s, type)), w.steps);
}

/**
 * The scheme alone, as text.
 * @example ir.hindleyMilner.typeOf("let id x = x in (id 1, id true)") // "int * bool"
 */
export function typeOf(program: string | Expression): string {
  return formatScheme(infer(program).scheme);
}
