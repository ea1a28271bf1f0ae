import { describe, expect, it } from "vitest";
import { AuthoringError } from "../errors.js";
import {
  cutHiddenTests,
  cutSolutions,
  DEFAULT_STUB,
  dropStubLines,
  markHiddenTests,
  secretLines,
} from "./markers.js";

const answer = `function f(x: number): number {
  // BEGIN SOLUTION
  const y = 2 * x;
  return y;
  // END SOLUTION
}`;

describe("solution regions", () => {
  it("become the stub at the indentation of the BEGIN line", () => {
    expect(cutSolutions(answer, "here")).toBe(`function f(x: number): number {
  // YOUR CODE HERE
  throw new Error("Not implemented");
}`);
  });
  it("become their own STUB lines, whose indentation is kept", () => {
    const source = answer.replace(
      "  const y",
      "  // STUB: if (x > 0) {\n  // STUB:   return 0;\n  // STUB: }\n  // STUB:\n  const y",
    );
    expect(cutSolutions(source, "here")).toBe(
      "function f(x: number): number {\n  if (x > 0) {\n    return 0;\n  }\n\n}",
    );
    expect(dropStubLines(source)).toBe(answer);
  });
  it("without a region the whole source is replaced", () => {
    expect(cutSolutions("const secret = 1;", "here")).toBe(DEFAULT_STUB);
  });
  it("several regions, at the edges too", () => {
    expect(
      cutSolutions(
        "// BEGIN SOLUTION\na\n// END SOLUTION\nb\n/* BEGIN SOLUTION */\nc\n/* END SOLUTION */",
        "x",
        "S",
      ),
    ).toBe("S\nb\nS");
  });
  it.each([
    ["// BEGIN SOLUTION\nx", /cell 3: "BEGIN SOLUTION" is never closed by "END SOLUTION"/],
    ["// BEGIN SOLUTION\n// BEGIN SOLUTION\n// END SOLUTION", /inside a region that is still open/],
    ["x\n// END SOLUTION", /"END SOLUTION" without "BEGIN SOLUTION"/],
  ])("%j is refused", (source, message) => {
    expect(() => cutSolutions(source, "cell 3")).toThrow(AuthoringError);
    expect(() => cutSolutions(source, "cell 3")).toThrow(message);
  });
});

describe("hidden tests", () => {
  const source = "a\n// BEGIN HIDDEN TESTS\nb\n// END HIDDEN TESTS\nc";
  it("are cut", () => expect(cutHiddenTests(source, "x")).toBe("a\nc"));
  it("are marked with statements on the same lines", () =>
    expect(markHiddenTests(source, "on();", "off();")).toBe("a\non();\nb\noff();\nc"));
  it("and solutions are what a release must not show", () => {
    expect(secretLines(source, "x")).toEqual({ solution: [], hidden: ["b"] });
    expect(secretLines(answer, "x").solution).toEqual(["const y = 2 * x;", "return y;"]);
  });
});
