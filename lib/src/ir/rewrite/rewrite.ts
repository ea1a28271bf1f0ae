/**
 * Rewriting by rules: at each node the first rule of a list that matches replaces it, until none does. Rules are data, read
 * from top to bottom (after tinygrad's lists of pattern and rewrite).
 */
import { isFloat } from "../../core/dtype.js";
import { ValueError } from "../../core/errors.js";
import { sameShape } from "../../core/shape.js";
import { type Attrs, getOp, type OpDef } from "../../ops/registry.js";
import { editNodes, type GraphEditor } from "../edit.js";
import type { Graph, GraphNode, Value } from "../graph.js";
import type { FastMathFlag } from "../passes/pass.js";
import { type Match, matchNode, mayMatch } from "./match.js";
import { opsOf, type Pattern, parsePattern } from "./pattern.js";

/** Makes what stands in a node's place. */
export interface Emitter {
  /** Applies an op; the rules see its node too. */
  readonly op: (op: string | OpDef, inputs: readonly Value[], attrs?: Attrs) => Value;
  /** A constant without axes. */
  readonly scalar: (number: number, dtype: Value["dtype"]) => Value;
}

export interface RuleSource {
  /** A pattern, see pattern.ts. */
  readonly match: string;
  /** A pattern of the same variables, or what makes the value; `null` from it: the rule does not apply. */
  readonly to: string | Build;
  readonly when?: (match: Match, root: GraphNode) => boolean;
  /** Licences that the rule needs for floats. */
  readonly needs?: readonly FastMathFlag[];
  /**
   * Whether it holds for integers (which wrap around) and booleans too. Default: if it needs no licence, or only for what
   * integers have none of.
   */
  readonly integers?: boolean;
  /** Why it is sound, and what it gains where that is not plain. */
  readonly why: string;
}

/** What makes the value that stands in a node's place. */
export type Build = (match: Match, emit: Emitter, root: GraphNode) => Value | null;

export interface Rule extends Omit<RuleSource, "to"> {
  /** `mul(x, 1) → x`. */
  readonly name: string;
  readonly pattern: Extract<Pattern, { kind: "op" }>;
  readonly build: Build;
}

/**
 * Rules from their sources.
 * @throws ValueError for a pattern that does not parse or begins with no op, or a replacement with a variable that is not matched.
 * @example ir.rules([{ match: "mul(x, 1)", to: "x", why: "1 is neutral" }])[0].name // "mul(x, 1) → x"
 */
export function rules(sources: readonly RuleSource[]): Rule[] {
  return sources.map(({ to, ...source }) => {
    const pattern = parsePattern(source.match);
    if (pattern.kind !== "op") throw new ValueError(`rule "${source.match}": a pattern begins with an op`);
    if (typeof to !== "string") return { ...source, name: `${source.match} → …`, pattern, build: to };
    const template = parsePattern(to);
    const bound = variablesOf(pattern);
    for (const name of variablesOf(template))
      if (!bound.has(name)) throw new ValueError(`rule "${source.match}" → "${to}": ${name} is not matched`);
    const build: Build = (match, emit, root) => instantiate(template, match, emit, root);
    return { ...source, name: `${source.match} → ${to}`, pattern, build };
  });
}

function variablesOf(pattern: Pattern): Set<string> {
  if (pattern.kind === "number") return new Set();
  if (pattern.kind === "any") return new Set([pattern.name]);
  return new Set([
    ...(pattern.variable ? [`?${pattern.op}`] : []),
    ...Object.values(pattern.attrs).map((name) => `{${name}}`),
    ...pattern.operands.flatMap((operand) => [...variablesOf(operand)]),
  ]);
}

/** Numbers of a replacement have the root's dtype. */
function instantiate(pattern: Pattern, match: Match, emit: Emitter, root: GraphNode): Value {
  if (pattern.kind === "number") return emit.scalar(pattern.value, root.outputs[0].dtype);
  if (pattern.kind === "any") return match.values.get(pattern.name) as Value;
  const inputs = pattern.operands.map((operand) => instantiate(operand, match, emit, root));
  const given = Object.entries(pattern.attrs).map(([key, name]) => [key, match.attrs.get(name)]);
  const like = pattern.variable ? match.ops.get(pattern.op) : undefined;
  return emit.op(like?.op ?? pattern.op, inputs, { ...like?.attrs, ...Object.fromEntries(given) });
}

export interface RewriteOptions {
  readonly fastMath?: readonly FastMathFlag[];
  /** Called for each rule that was applied. */
  readonly onRule?: (rule: Rule, root: GraphNode) => void;
}

/** A value is rewritten at most so often in a row: more means that rules undo each other. */
const MAX_STEPS = 100;

/**
 * The graph with rules applied, also in its regions. A replacement whose shape differs only by repetition is repeated; one
 * of another dtype is refused. What is no longer needed stays for dead code elimination.
 * @throws ValueError naming the rules that undo each other, or an op that does not exist.
 * @example
 * const neutral = ir.rules([{ match: "mul(x, 1)", to: "x", why: "1 is neutral" }]);
 * ir.rewrite(capture((x: Tensor) => x.mul(1).sin(), tensor([2])), neutral).nodes.map((node) => node.op.name) // ["sin"]
 */
export function rewrite(graph: Graph, list: readonly Rule[], options: RewriteOptions = {}): Graph {
  const { fastMath = [], onRule } = options;
  const byOp = indexOf(list);
  return editNodes(graph, (node, editor) => {
    const rewriteNode = (root: GraphNode, steps: readonly string[]): Value | null => {
      if (steps.length > MAX_STEPS)
        throw new ValueError(`rewrite: rules undo each other: ${[...new Set(steps.slice(-6))].join("; ")}`);
      for (const rule of byOp.get(root.op.name) ?? byOp.get("?") ?? []) {
        if (!mayMatch(rule.pattern, root, editor) || !isLicensed(rule, root, fastMath)) continue;
        const match = matchNode(rule.pattern, root, editor);
        if (!match || rule.when?.(match, root) === false) continue;
        const emit = emitterFor(editor, root, (made) => rewriteNode(made, [...steps, rule.name]));
        const found = rule.build(match, emit, root);
        const value = found && fitted(found, root.outputs[0], emit);
        if (!value) continue;
        onRule?.(rule, root);
        return value;
      }
      return null;
    };
    const value = node.outputs.length === 1 ? rewriteNode(node, []) : null;
    if (value) editor.replace(node.outputs[0], value);
    else editor.push(node);
  });
}

const indices = new WeakMap<readonly Rule[], Map<string, Rule[]>>();

/** Rules by the op that they begin with, followed by those for any op; those alone under `?`. @throws ValueError for an op that does not exist. */
function indexOf(list: readonly Rule[]): Map<string, Rule[]> {
  const known = indices.get(list);
  if (known) return known;
  const byOp = new Map<string, Rule[]>();
  for (const rule of list) {
    opsOf(rule.pattern).forEach(getOp);
    const key = rule.pattern.variable ? "?" : rule.pattern.op;
    byOp.set(key, [...(byOp.get(key) ?? []), rule]);
  }
  const any = byOp.get("?") ?? [];
  for (const [op, own] of byOp) if (op !== "?") byOp.set(op, [...own, ...any]);
  indices.set(list, byOp);
  return byOp;
}

/** What integers have none of: they need no licence for it. */
const FLOATS_ONLY: readonly FastMathFlag[] = ["nnan", "ninf", "nsz"];

function isLicensed(
  { needs = [], integers }: Rule,
  root: GraphNode,
  given: readonly FastMathFlag[],
): boolean {
  const float = [root.outputs[0], ...root.inputs].some(({ dtype }) => isFloat(dtype));
  if (float) return needs.every((flag) => given.includes(flag));
  return integers ?? needs.every((flag) => FLOATS_ONLY.includes(flag));
}

function emitterFor(
  editor: GraphEditor,
  root: GraphNode,
  rewriteNode: (node: GraphNode) => Value | null,
): Emitter {
  return {
    scalar: (number, dtype) => editor.scalar(number, dtype),
    op: (op, inputs, attrs = {}) => {
      const made = editor.make(op, inputs, attrs, root.loc);
      const better = rewriteNode(made);
      if (better) return better;
      editor.push(made);
      editor.changed();
      return made.outputs[0];
    },
  };
}

/** The value under the type that it stands in for, or `null`. */
function fitted(value: Value, wanted: Value, emit: Emitter): Value | null {
  if (value.dtype !== wanted.dtype) return null;
  if (sameShape(value.shape, wanted.shape)) return value;
  return emit.op("broadcastTo", [value], { shape: wanted.shape });
}
