/**
 * Pytrees: values nested in arrays, plain objects, maps and objects that describe themselves (modules). Every
 * transformation takes and returns such trees; their leaves are tensors, everything else is structure.
 */
import { MlsysError } from "./errors.js";
import { Tensor } from "./tensor.js";

/** An object with this method is a node: it names its children and says how to make the like of it from others. */
export const treeFlatten = Symbol.for("mlsys.treeFlatten");

export interface TreeNode {
  [treeFlatten](): {
    readonly children: Record<string, unknown>;
    rebuild(children: Record<string, unknown>): unknown;
  };
}

/** The structure of a tree: what is left when the leaves are taken out. */
export interface TreeDef {
  readonly kind: "leaf" | "static" | "array" | "object" | "map" | "node";
  readonly keys: readonly unknown[];
  readonly children: readonly TreeDef[];
  /** Value of a static part; type name of a node. */
  readonly value?: unknown;
  readonly rebuild?: (children: Record<string, unknown>) => unknown;
}

const LEAF: TreeDef = { kind: "leaf", keys: [], children: [] };

function isNode(x: object): x is TreeNode {
  return treeFlatten in x;
}

function isPlain(x: object): boolean {
  const proto = Object.getPrototypeOf(x);
  return proto === null || proto === Object.prototype || Object.getPrototypeOf(proto) === null;
}

/** The leaves in order, and the structure around them. */
export function flatten(tree: unknown): { leaves: Tensor[]; def: TreeDef } {
  const leaves: Tensor[] = [];
  const inside = new Set<object>();
  const visit = (x: unknown, path: string): TreeDef => {
    if (x instanceof Tensor) {
      leaves.push(x);
      return LEAF;
    }
    if (typeof x !== "object" || x === null) return { kind: "static", keys: [], children: [], value: x };
    if (inside.has(x)) throw new MlsysError(`tree: ${path || "the value"} contains itself`);
    inside.add(x);
    const def = visitObject(x, path);
    inside.delete(x);
    return def;
  };
  const visitObject = (x: object, path: string): TreeDef => {
    if (Array.isArray(x)) {
      return {
        kind: "array",
        keys: x.map((_, i) => i),
        children: x.map((child, i) => visit(child, `${path}[${i}]`)),
      };
    }
    if (x instanceof Map) {
      return {
        kind: "map",
        keys: [...x.keys()],
        children: [...x].map(([key, child]) => visit(child, `${path}.get(${String(key)})`)),
      };
    }
    if (isNode(x)) {
      const { children, rebuild } = x[treeFlatten]();
      const keys = Object.keys(children);
      return {
        kind: "node",
        keys,
        children: keys.map((key) => visit(children[key], `${path}.${key}`)),
        value: x.constructor.name,
        rebuild,
      };
    }
    if (!isPlain(x)) return { kind: "static", keys: [], children: [], value: x };
    const keys = Object.keys(x);
    return {
      kind: "object",
      keys,
      children: keys.map((key) => visit((x as Record<string, unknown>)[key], `${path}.${key}`)),
    };
  };
  const def = visit(tree, "");
  return { leaves, def };
}

/** The tree of structure `def` with these leaves. @throws MlsysError if their number differs. */
export function unflatten(def: TreeDef, leaves: readonly unknown[]): unknown {
  let next = 0;
  const build = (node: TreeDef): unknown => {
    if (node.kind === "leaf") return leaves[next++];
    if (node.kind === "static") return node.value;
    const children = node.children.map(build);
    if (node.kind === "array") return children;
    if (node.kind === "map") return new Map(node.keys.map((key, i) => [key, children[i]]));
    const record = Object.fromEntries(node.keys.map((key, i) => [key, children[i]]));
    return node.kind === "node" ? node.rebuild?.(record) : record;
  };
  const tree = build(def);
  if (next !== leaves.length)
    throw new MlsysError(`tree: ${leaves.length} leaves for a structure with ${next}`);
  return tree;
}

/** The tensors of a tree, in order. */
export function leaves(tree: unknown): Tensor[] {
  return flatten(tree).leaves;
}

/** The place where two structures differ, or `null`. */
export function difference(a: TreeDef, b: TreeDef, path = "tree"): string | null {
  if (a.kind !== b.kind) return `${path} is ${describe(a)} in one and ${describe(b)} in the other`;
  if (a.kind === "static")
    return Object.is(a.value, b.value) || typeof a.value === "object" || typeof a.value === "function"
      ? null
      : `${path} is ${String(a.value)} in one and ${String(b.value)} in the other`;
  if (a.keys.length !== b.keys.length || a.keys.some((key, i) => key !== b.keys[i])) {
    return `${path} has keys [${a.keys.join(", ")}] in one and [${b.keys.join(", ")}] in the other`;
  }
  for (const [i, child] of a.children.entries()) {
    const found = difference(child, b.children[i], `${path}.${String(a.keys[i])}`);
    if (found) return found;
  }
  return null;
}

function describe(def: TreeDef): string {
  if (def.kind === "leaf") return "a tensor";
  return def.kind === "static"
    ? String(def.value)
    : def.kind === "node"
      ? `a ${String(def.value)}`
      : `an ${def.kind}`;
}

/** Throws if the structures differ, naming the place. */
export function checkSameStructure(a: unknown, b: unknown, where: string): void {
  const found = difference(flatten(a).def, flatten(b).def);
  if (found) throw new MlsysError(`${where}: the two trees differ: ${found}`);
}

/**
 * Applies `f` to each leaf (and the leaves at the same places of `others`), keeping the structure.
 * @throws MlsysError naming the first place where the structures differ.
 */
export function map<T>(
  f: (leaf: Tensor, ...others: Tensor[]) => unknown,
  tree: T,
  ...others: readonly unknown[]
): T {
  const { leaves: first, def } = flatten(tree);
  const rest = others.map((other) => {
    const flat = flatten(other);
    const found = difference(def, flat.def);
    if (found) throw new MlsysError(`tree.map: the trees differ: ${found}`);
    return flat.leaves;
  });
  return unflatten(
    def,
    first.map((leaf, i) => f(leaf, ...rest.map((list) => list[i]))),
  ) as T;
}

/** `["layers.0.weight", …]`: where each leaf is. */
export function paths(tree: unknown): string[] {
  const out: string[] = [];
  const visit = (def: TreeDef, path: string): void => {
    if (def.kind === "leaf") out.push(path);
    def.children.forEach((child, i) => {
      visit(child, path === "" ? String(def.keys[i]) : `${path}.${String(def.keys[i])}`);
    });
  };
  visit(flatten(tree).def, "");
  return out;
}
