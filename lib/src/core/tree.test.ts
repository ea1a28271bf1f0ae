import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Tensor, tensor } from "../index.js";
import * as tree from "./tree.js";

class Pair implements tree.TreeNode {
  constructor(
    readonly first: unknown,
    readonly second: unknown,
  ) {}
  [tree.treeFlatten]() {
    return {
      children: { first: this.first, second: this.second },
      rebuild: (children: Record<string, unknown>) => new Pair(children.first, children.second),
    };
  }
}

class Other extends Pair {}

const t = (value: number) => tensor(value);

/** Random trees whose leaves are numbered tensors. */
const { node: anyTree } = fc.letrec<{ node: unknown }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 4 },
    fc.integer({ min: 0, max: 99 }).map(t),
    fc.constantFrom<unknown>(null, undefined, "text", 3, true, Number.NaN),
    fc.array(tie("node"), { maxLength: 3 }),
    fc.dictionary(fc.string({ maxLength: 4 }), tie("node"), { maxKeys: 3 }),
    fc
      .array(fc.tuple(fc.oneof(fc.string({ maxLength: 3 }), fc.integer()), tie("node")), { maxLength: 3 })
      .map((pairs) => new Map(pairs)),
    fc.tuple(tie("node"), tie("node")).map(([a, b]) => new Pair(a, b)),
  ),
}));

describe("pytrees", () => {
  it("flatten and unflatten are inverse", () => {
    fc.assert(
      fc.property(anyTree, (value) => {
        const { leaves, def } = tree.flatten(value);
        const again = tree.unflatten(def, leaves);
        expect(again).toEqual(value);
        expect(tree.flatten(again).leaves).toEqual(leaves);
        expect(def.leafCount).toBe(leaves.length);
        expect(tree.paths(value)).toHaveLength(leaves.length);
        expect(tree.structureEqual(value, again)).toBe(true);
      }),
    );
  });

  it("map by the identity is the identity, and composes", () => {
    fc.assert(
      fc.property(anyTree, (value) => {
        expect(tree.map((x) => x, value)).toEqual(value);
        const twice = tree.map(
          (x) => x.add(1),
          tree.map((x) => x.mul(2), value),
        );
        const once = tree.map((x) => x.mul(2).add(1), value);
        expect(tree.leaves(twice).map((x) => x.item())).toEqual(tree.leaves(once).map((x) => x.item()));
      }),
    );
  });

  it("does not care in which order an object's keys were set, and keeps it", () => {
    const [a, b] = [t(1), t(2)];
    expect(tree.leaves({ z: a, y: b })).toEqual(tree.leaves({ y: b, z: a }));
    const sum = tree.map((x, y) => x.add(y), { z: a, y: b }, { y: t(20), z: t(10) }) as {
      z: Tensor;
      y: Tensor;
    };
    expect([sum.z.item(), sum.y.item()]).toEqual([11, 22]);
    expect(Object.keys(sum)).toEqual(["z", "y"]);
  });

  it("keeps a key named __proto__ as data", () => {
    const value = JSON.parse('{"__proto__": 1, "a": 2}') as Record<string, unknown>;
    const again = tree.map((x) => x, value);
    expect(Object.keys(again)).toEqual(["__proto__", "a"]);
    expect(Object.getPrototypeOf(again)).toBe(Object.prototype);
  });

  it("names the leaves", () => {
    const value = { layers: [{ w: t(1) }, new Pair(t(2), null)], m: new Map([["k", t(3)]]) };
    expect(tree.paths(value)).toEqual(["layers.0.w", "layers.1.first", "m.k"]);
    expect(tree.paths(t(1))).toEqual([""]);
  });

  it.each<[string, unknown, unknown, string]>([
    [
      "a leaf against a list",
      { w: t(1) },
      { w: [t(1)] },
      "tree.w is a tensor in one and an array in the other",
    ],
    ["lengths", { w: [t(1)] }, { w: [t(1), t(2)] }, "tree.w has 1 entries in one and 2 in the other"],
    ["keys", { a: { b: t(1) } }, { a: { c: t(1) } }, "tree.a has keys [b] in one and [c] in the other"],
    ["static values", [t(1), 2], [t(1), 3], "tree.1 is 2 in one and 3 in the other"],
    ["null", [t(1)], [null], "tree.0 is a tensor in one and null in the other"],
    ["classes", [new Pair(1, 2)], [new Other(1, 2)], "tree.0 is a Pair in one and a Other in the other"],
    ["kinds", new Map(), {}, "tree is a map in one and an object in the other"],
  ])("says where two trees differ: %s", (_, a, b, message) => {
    expect(() => tree.map((x) => x, a, b)).toThrow(`tree.map: the trees differ: ${message}`);
    expect(tree.structureEqual(a, b)).toBe(false);
    expect(() => tree.checkSameStructure(a, b, "here")).toThrow(`here: the two trees differ: ${message}`);
  });

  it("refuses a wrong number of leaves and parts that contain themselves", () => {
    const { def } = tree.flatten([t(1), t(2)]);
    expect(() => tree.unflatten(def, [t(1)])).toThrow("the structure has 2 leaves, 1 were given");
    const loop: { list: unknown[] } = { list: [] };
    loop.list.push(loop);
    expect(() => tree.flatten(loop)).toThrow("the value.list.0 contains itself");
  });

  it("takes a part that stands at two places as two", () => {
    const shared = { w: t(1) };
    expect(tree.leaves([shared, shared])).toHaveLength(2);
  });
});
