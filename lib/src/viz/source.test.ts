import { describe, expect, it } from "vitest";
import { displaySymbol } from "./bundle.js";
import { sourceOf } from "./source.js";

describe("sourceOf", () => {
  it("cuts declarations with their comments", () => {
    const text = String(sourceOf("graph/schedule.ts", "topologicalOrder", "Cost"));
    expect(text).toMatch(/^\/\/ graph\/schedule\.ts:\d+\n\/\*\*\n \* An order in which every node/);
    expect(text).toMatch(/\n}\n\n\/\*\* Duration of a node.*\nexport type Cost = /);
  });

  it("finds methods, without their indentation", () => {
    expect(String(sourceOf("graph/session.ts", "Session.initialize"))).toMatch(
      /\n\/\*\* Gives every variable.*\ninitialize\(\): void \{\n {2}for/,
    );
  });

  it("shows itself as code", () => {
    const bundle = sourceOf("viz/bundle.ts", "newDisplayId")[displaySymbol]();
    expect(bundle["text/markdown"]).toMatch(
      /^<small>`mlsys\/src\/viz\/bundle\.ts:\d+`<\/small>\n\n```typescript\n/,
    );
  });

  it("names what there is", () => {
    expect(() => sourceOf("nope.ts")).toThrow(/no source nope\.ts/);
    expect(() => sourceOf("viz/bundle.ts", "nope")).toThrow(
      /does not declare "nope"; it has PublishOptions, /,
    );
  });
});
