/** Attributes that no function of the library would make, as they stand in text, JSON and other people's graphs. */
import { describe, expect, it } from "vitest";
import { parseGraph } from "../ir/parse.js";
import { apply } from "./bind.js";
import { tensor } from "./convert.js";
import { type Attrs, getOp, ops } from "./registry.js";
import "../index.js";

/** Ops whose axis counts in their result, which has more axes than any operand. */
const IN_RESULT = new Set(["stack"]);

describe("axes among the attributes", () => {
  const rows = ops().flatMap((op) =>
    op.samples.flatMap(({ shapes, attrs = {} }) =>
      (["axis", "axes"] as const).filter((key) => key in attrs).map((key) => ({ op, shapes, attrs, key })),
    ),
  );

  it("are checked by each op's type rule", () => {
    expect(new Set(rows.map(({ op }) => op.name)).size).toBeGreaterThan(20);
    const accepted = rows.flatMap(({ op, shapes, attrs, key }) => {
      if (IN_RESULT.has(op.name)) return [];
      const rank = Math.max(...shapes.map((shape) => shape.length));
      const bad =
        key === "axis"
          ? [-1, rank, 0.5]
          : [[-1], [rank], [0.5], [0, 0], Array.from({ length: rank + 1 }, (_, i) => i)];
      const types = shapes.map((shape, i) => ({
        shape,
        dtype: i > 0 && /^(take|scatter)/.test(op.name) ? ("int32" as const) : ("float32" as const),
      }));
      return bad.flatMap((value) => {
        try {
          op.type(types, { ...(attrs as Attrs), [key]: value });
          return [`${op.name} ${key}: ${JSON.stringify(value)}`];
        } catch (error) {
          return /axis|axes/.test((error as Error).message)
            ? []
            : [`${op.name}: ${(error as Error).message}`];
        }
      });
    });
    expect(accepted).toEqual([]);
  });

  it("a transpose with too few, too many, repeated or unknown axes does not parse", () => {
    const text = (axes: string): string =>
      `graph @f(%0: float32(2, 3)) { %1 = transpose(%0) {axes: ${axes}} : float32(3, 2) return %1 }`;
    expect(parseGraph(text("[1, 0]")).nodes).toHaveLength(1);
    expect(() => parseGraph(text("[1]"))).toThrow("transpose: [1] is not an order of the 2 axes of (2, 3)");
    expect(() => parseGraph(text("[1, 0, 2]"))).toThrow("[1, 0, 2] is not an order of the 2 axes");
    expect(() => parseGraph(text("[1, 1]"))).toThrow("transpose: repeated axis in [1, 1]");
    expect(() => parseGraph(text("[1, -2]"))).toThrow("transpose: the attribute axis is -2");
  });

  it("softmax of a number along axis -1 ends, with an error", () => {
    for (const name of ["softmax", "logSoftmax"]) {
      expect(() => apply(getOp(name), [tensor(3)], { axis: -1 })).toThrow(
        `${name}: the attribute axis is -1; an axis of a tensor with 0 axes, counted from the front, was expected`,
      );
    }
  });
});
