import { afterEach, describe, expect, it } from "vitest";
import { besideHost } from "./beside.js";
import { countExpectation, testScope } from "./scope.js";

const PUBLISH = Symbol.for("Jupyter.publish");
const globals = globalThis as Record<symbol, unknown>;

describe("tests beside the learner's code", () => {
  afterEach(() => {
    delete globals[PUBLISH];
  });

  it("publish what they found for programs, marked as forgeable", async () => {
    const published: Record<string, unknown>[] = [];
    globals[PUBLISH] = (bundle: Record<string, unknown>) => published.push(bundle);
    const body = () => {
      testScope.getStore()!.answers++;
      countExpectation();
    };
    const fails = () => {
      throw new Error("no");
    };
    const declared = [
      { name: "right", points: 2, hidden: false, body },
      { name: "broken", points: 1, hidden: false, body: fails },
    ];
    expect(await besideHost.run("Sums", declared)).toBe(2);
    expect(published).toHaveLength(1);
    expect(published[0]["application/vnd.mlsys.report+json"]).toEqual({
      version: 1,
      title: "Sums",
      trust: "in-kernel",
      tests: [
        { name: "right", points: 2, score: 2, status: "passed" },
        { name: "broken", points: 1, score: 0, status: "grader" },
      ],
    });
  });
});
