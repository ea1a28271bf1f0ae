/** What is rewritten before a pipeline runs. */
import { afterEach, describe, expect, it } from "vitest";
import { Dataset, noThreads } from "../../../test/support/built-library.js";

afterEach(noThreads);

describe("rewrites", () => {
  const f = (x: number) => x;
  it("fuse and vectorize, and say so", () => {
    const set = Dataset.range(100)
      .map(f, { name: "decode" })
      .map(f, { name: "resize" })
      .filter((x) => x > 0, { name: "keep" })
      .filter((x) => x > 1, { name: "more" });
    expect(set.pipeline().plan.after).toBe(
      "range → threads{ [map(decode) + map(resize) + filter(keep) + filter(more)] }",
    );
    const text = Dataset.range(100)
      .map(f, { name: "decode" })
      .batch(4)
      .collate()
      .prefetch(2)
      .pipeline()
      .explain();
    expect(text.split("\n").filter((line) => !line.startsWith("    "))).toEqual([
      "written:   range → map(decode) → batch(4) → collate → prefetch(2)",
      "map–batch vectorization: map(decode) → batch(4) → collate  ⇒  batch(4) → each map(decode) → collate",
      "map+map fusion: batch(4) → each map(decode) → collate  ⇒  batch(4) → [each map(decode) + collate]",
      "runs:      range → batch(4) → threads{ [each map(decode) + collate] } → prefetch(2)",
    ]);
  });

  it("leave what would change: batches behind filters, indices behind filters, ops with threads of their own", () => {
    const after = (set: Dataset<unknown>) => set.pipeline().plan.after;
    const kept = Dataset.range(9).filter((x) => x > 1, { name: "keep" });
    expect(after(kept.batch(2).map((l) => l.length, { name: "size" }))).toBe(
      "range → threads{ filter(keep) } → batch(2) → threads{ map(size) }",
    );
    expect(after(kept.map((x, i) => x + i, { name: "number" }))).toBe(
      "range → threads{ filter(keep) } → threads{ map(number) }",
    );
    expect(after(kept.map((x, ...rest) => x + rest.length, { name: "rest" }))).toMatch(
      /} → threads{ map\(rest\) }/,
    );
    expect(after(kept.map((x, i = 0) => x + i, { name: "default" }))).toMatch(
      /} → threads{ map\(default\) }/,
    );
    expect(after(kept.map(({ toFixed }: number) => toFixed, { name: "pattern" }))).toMatch(
      /keep\) \+ map\(pattern\)/,
    );
    expect(after(Dataset.range(9).map(f, { name: "a", parallel: 2 }).map(f, { name: "b" }))).toBe(
      "range → threads{ map(a) ×2 → map(b) }",
    );
    expect(
      after(Dataset.range(9).map(f, { name: "here", parallel: 0 }).map(f, { name: "gpu", device: "mixed" })),
    ).toBe("range → map(here) → map(gpu)");
    expect(after(Dataset.zip(kept, Dataset.range(3).map(f, { name: "b" })))).toBe(
      "zip[range → threads{ filter(keep) }; range → threads{ map(b) }]",
    );
  });
});
