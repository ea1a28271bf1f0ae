/**
 * Pytrees: values nested in arrays, plain objects, maps and objects that describe themselves (modules). Every
 * transformation takes and returns such trees. Their leaves are tensors; all the rest (numbers, strings, null,
 * functions, other class instances) is static: part of the structure.
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
  /** Of the children. Plain objects: sorted, so that the order in which keys were set does not matter. */
  readonly keys: readonly unknown[];
  readonly children: readonly TreeDef[];
  /** Number of leaves below. */
  readonly leafCount: number;
  /** Value of a static part; type name of a node; keys of an object in their own order. */
  readonly value?: unknown;
  readonly rebuild?: (children: Record<string, unknown>) => unknown;
}

/**
 * The leaves in order, and the structure around them.
 * @example tree.flatten({ w: tensor(1), b: [tensor(2), 3] }).leaves // [2, 1]
 * @throws MlsysError if a part contains itself.
 */
export function flatten(tree: unknown): { leaves: Tensor[]; def: TreeDef } {
  const leaves: Tensor[] = [];
  const def = visit(tree, leaves, [], []);
  return { leaves, def };
}

/**
 * The tree of structure `def` with these leaves.
 * @throws MlsysError if their number differs.
 * @example (tree.unflatten(tree.flatten({ a: tensor([1]) }).def, [tensor([7])]) as { a: Tensor }).a // [7]
 */
export function unflatten(def: TreeDef, leaves: readonly unknown[]): unknown {
  if (leaves.length !== def.leafCount) {
    throw new MlsysError(
      `tree.unflatten: the structure has ${def.leafCount} leaves, ${leaves.length} were given`,
    );
  }
  let next = 0;
  const build = (node: TreeDef): unknown => {
    if (node.kind === "leaf") return leaves[next++];
    if (node.kind === "static") return node.value;
    const children = node.children.map(build);
    if (node.kind === "array") return children;
    if (node.kind === "map") return new Map(node.keys.map((key, i) => [key, children[i]]));
    const built = new Map(node.keys.map((key, i) => [key as string, children[i]]));
    const order = (node.kind === "object" ? node.value : node.keys) as readonly string[];
    const record = Object.fromEntries(order.map((key) => [key, built.get(key)])); // defines, so "__proto__" stays a key
    return node.rebuild ? node.rebuild(record) : record;
  };
  return build(def);
}

/**
 * The tensors of a tree, in order.
 * @example tree.leaves({ w: tensor([1, 2]), rate: 0.1 }).length // 1
 */
export function leaves(tree: unknown): Tensor[] {
  return flatten(tree).leaves;
}

/**
 * Applies `f` to each leaf (and the leaves at the same places of `others`), keeping the structure.
 * @example tree.map((p, g) => p.sub(g.mul(0.1)), [tensor([1])], [tensor([5])])[0] // [0.5]
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

/**
 * True if both trees nest in the same way (leaves may have any shape).
 * @example tree.structureEqual([tensor(1)], [tensor([2, 3])]) // true
 */
export function structureEqual(a: unknown, b: unknown): boolean {
  return difference(flatten(a).def, flatten(b).def) === null;
}

/**
 * Throws if the structures differ, naming the place.
 * @example tree.checkSameStructure({ a: tensor(1) }, { a: tensor(2) }, "step")
 */
export function checkSameStructure(a: unknown, b: unknown, where: string): void {
  const found = difference(flatten(a).def, flatten(b).def);
  if (found) throw new MlsysError(`${where}: the two trees differ: ${found}`);
}

/**
 * The place where two structures differ, in words, or `null`. Static objects and functions count as equal.
 * @example tree.difference(tree.flatten({ a: tensor(1) }).def, tree.flatten({ b: tensor(1) }).def) // "tree has keys [a] in one and [b] in the other"
 */
export function difference(a: TreeDef, b: TreeDef, path = "tree"): string | null {
  const sameKind = a.kind === b.kind && (a.kind !== "node" || a.value === b.value);
  if (!sameKind) return `${path} is ${describe(a)} in one and ${describe(b)} in the other`;
  if (a.kind === "static") {
    return sameStatic(a.value, b.value)
      ? null
      : `${path} is ${describe(a)} in one and ${describe(b)} in the other`;
  }
  if (a.keys.length !== b.keys.length || a.keys.some((key, i) => key !== b.keys[i])) {
    if (a.kind === "array")
      return `${path} has ${a.keys.length} entries in one and ${b.keys.length} in the other`;
    return `${path} has keys [${a.keys.join(", ")}] in one and [${b.keys.join(", ")}] in the other`;
  }
  for (const [i, child] of a.children.entries()) {
    const found = difference(child, b.children[i], `${path}.${String(a.keys[i])}`);
    if (found) return found;
  }
  return null;
}

/**
 * `["layers.0.weight", …]`: where each leaf is; `""` for a tree that is a leaf itself.
 * @example tree.paths({ layers: [{ w: tensor(1) }], b: tensor(2) }) // ["b", "layers.0.w"]
 */
export function paths(tree: unknown): string[] {
  return pathsOf(flatten(tree).def);
}

/**
 * `paths` of a structure.
 * @example tree.pathsOf(tree.flatten([tensor(1), tensor(2)]).def) // ["0", "1"]
 */
export function pathsOf(def: TreeDef): string[] {
  const out: string[] = [];
  const walk = (node: TreeDef, path: string): void => {
    if (node.kind === "leaf") out.push(path);
    node.children.forEach((child, i) => {
      walk(child, path === "" ? String(node.keys[i]) : `${path}.${String(node.keys[i])}`);
    });
  };
  walk(def, "");
  return out;
}

const LEAF: TreeDef = { kind: "leaf", keys: [], children: [], leafCount: 1 };

function visit(x: unknown, leaves: Tensor[], inside: object[], trail: unknown[]): TreeDef {
  if (x instanceof Tensor) {
    leaves.push(x);
    return LEAF;
  }
  if (typeof x !== "object" || x === null) return fixed(x);
  if (inside.includes(x))
    throw new MlsysError(`tree: ${["the value", ...trail].map(String).join(".")} contains itself`);
  inside.push(x);
  const def = visitObject(x, (key, child) => {
    trail.push(key);
    const below = visit(child, leaves, inside, trail);
    trail.pop();
    return below;
  });
  inside.pop();
  return def;
}

function visitObject(x: object, below: (key: unknown, child: unknown) => TreeDef): TreeDef {
  if (Array.isArray(x)) {
    return inner(
      "array",
      x.map((_, i) => i),
      x.map((child, i) => below(i, child)),
    );
  }
  if (x instanceof Map)
    return inner(
      "map",
      [...x.keys()],
      [...x].map(([key, child]) => below(key, child)),
    );
  if (treeFlatten in x) {
    const { children, rebuild } = (x as TreeNode)[treeFlatten]();
    const keys = Object.keys(children);
    const defs = keys.map((key) => below(key, children[key]));
    return { ...inner("node", keys, defs), value: x.constructor.name, rebuild };
  }
  if (!isPlain(x)) return fixed(x);
  const record = x as Record<string, unknown>;
  const own = Object.keys(record);
  const keys = [...own].sort();
  return {
    ...inner(
      "object",
      keys,
      keys.map((key) => below(key, record[key])),
    ),
    value: own,
  };
}

function fixed(value: unknown): TreeDef {
  return { kind: "static", keys: [], children: [], leafCount: 0, value };
}

function inner(kind: TreeDef["kind"], keys: readonly unknown[], children: readonly TreeDef[]): TreeDef {
  return { kind, keys, children, leafCount: children.reduce((sum, child) => sum + child.leafCount, 0) };
}

/** Object literals, also those of another realm (a notebook cell's). */
function isPlain(x: object): boolean {
  const proto = Object.getPrototypeOf(x);
  return proto === null || proto === Object.prototype || Object.getPrototypeOf(proto) === null;
}

function sameStatic(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  const opaque = (x: unknown) => (typeof x === "object" && x !== null) || typeof x === "function";
  return opaque(a) && opaque(b);
}

function describe(def: TreeDef): string {
  if (def.kind === "leaf") return "a tensor";
  if (def.kind === "static") {
    if (typeof def.value === "string") return JSON.stringify(def.value);
    return typeof def.value === "object" && def.value !== null
      ? `a ${def.value.constructor.name}`
      : String(def.value);
  }
  if (def.kind === "node") return `a ${String(def.value)}`;
  return def.kind === "map" ? "a map" : `an ${def.kind}`;
}
