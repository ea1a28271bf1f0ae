/** Types of the core language, substitutions and unification. (Robinson 1965; Damas and Milner 1982.) */
import { MlsysError } from "../../core/errors.js";

/** Two types that cannot be made equal, or a name without a type. */
export class TypeProblem extends MlsysError {
  override name = "TypeProblem";
}

/** A variable, or a constructor applied to types: `int`, `bool`, `->`, `*` (tuples). */
export type Type =
  | { readonly kind: "variable"; readonly name: string }
  | { readonly kind: "constructor"; readonly name: string; readonly of: readonly Type[] };

/** ∀ variables. type. */
export interface Scheme {
  readonly variables: readonly string[];
  readonly type: Type;
}

/**
 * A type variable.
 * @example ir.hindleyMilner.variable("a").name // "a"
 */
export const variable = (name: string): Type => ({ kind: "variable", name });
export const construct = (name: string, ...of: readonly Type[]): Type => ({
  kind: "constructor",
  name,
  of,
});
export const INT = construct("int");
export const BOOL = construct("bool");
/**
 * The type of functions.
 * @example ir.hindleyMilner.formatType(ir.hindleyMilner.arrow(ir.hindleyMilner.INT, ir.hindleyMilner.INT)) // "int -> int"
 */
export const arrow = (from: Type, to: Type): Type => construct("->", from, to);
export const tuple = (entries: readonly Type[]): Type => construct("*", ...entries);

/** From variables to types. Applied once: its types hold none of its variables. */
export type Substitution = ReadonlyMap<string, Type>;

export function substitute(s: Substitution, type: Type): Type {
  if (type.kind === "variable") return s.get(type.name) ?? type;
  return type.of.length === 0 ? type : { ...type, of: type.of.map((t) => substitute(s, t)) };
}

export function substituteScheme(s: Substitution, { variables, type }: Scheme): Scheme {
  const free = new Map([...s].filter(([name]) => !variables.includes(name)));
  return { variables, type: substitute(free, type) };
}

/** First `inner`, then `outer`. */
export function compose(outer: Substitution, inner: Substitution): Substitution {
  const after = [...inner].map(([name, type]) => [name, substitute(outer, type)] as const);
  return new Map([...after, ...[...outer].filter(([name]) => !inner.has(name))]);
}

/** Variables of a type, in order of appearance. */
export function variablesOf(type: Type): string[] {
  return type.kind === "variable" ? [type.name] : [...new Set(type.of.flatMap(variablesOf))];
}

/** Free variables of a scheme. */
export const freeIn = ({ variables, type }: Scheme): string[] =>
  variablesOf(type).filter((name) => !variables.includes(name));

/**
 * The most general substitution under which both types are equal.
 * @throws TypeProblem if there is none: other constructors, or a type that would contain itself (occurs check).
 * @example ir.hindleyMilner.unify(ir.hindleyMilner.variable("a"), ir.hindleyMilner.INT).size // 1
 */
export function unify(a: Type, b: Type): Substitution {
  if (a.kind === "variable") return bindVariable(a.name, b);
  if (b.kind === "variable") return bindVariable(b.name, a);
  if (a.name !== b.name || a.of.length !== b.of.length)
    throw new TypeProblem(`${formatType(a)} is not ${formatType(b)}`);
  return a.of.reduce<Substitution>(
    (s, part, i) => compose(unify(substitute(s, part), substitute(s, b.of[i])), s),
    new Map(),
  );
}

function bindVariable(name: string, type: Type): Substitution {
  if (type.kind === "variable" && type.name === name) return new Map();
  if (variablesOf(type).includes(name))
    throw new TypeProblem(
      `${name} would be ${formatType(type)}, which contains ${name}: no finite type does`,
    );
  return new Map([[name, type]]);
}

/**
 * A type as text: `(a -> b) -> a * int`.
 * @example ir.hindleyMilner.formatType(ir.hindleyMilner.arrow(ir.hindleyMilner.INT, ir.hindleyMilner.BOOL)) // "int -> bool"
 */
export function formatType(type: Type): string {
  if (type.kind === "variable" || type.of.length === 0) return type.name;
  const inner = (part: Type, closed: readonly string[]): string =>
    part.kind === "constructor" && closed.includes(part.name) ? `(${formatType(part)})` : formatType(part);
  if (type.name === "->") return `${inner(type.of[0], ["->"])} -> ${formatType(type.of[1])}`;
  return type.of.map((part) => inner(part, ["->", "*"])).join(" * ");
}

/** `∀a b. a -> b`. */
export function formatScheme({ variables, type }: Scheme): string {
  return variables.length > 0 ? `∀${variables.join(" ")}. ${formatType(type)}` : formatType(type);
}
