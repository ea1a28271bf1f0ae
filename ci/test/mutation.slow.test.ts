/** Mutation testing with real boxes: tests that check little let mutants live, those that check more do not. */
import { afterAll, describe, expect, it } from "vitest";
import { assignmentOf } from "../src/assignment/assignment.js";
import { mutationTest } from "../src/batch/mutation.js";
import { sharingChecker } from "../src/checker/place.js";
import { DEFAULT_LIMITS } from "../src/judge/limits.js";
import { copyNotebook } from "../src/notebook/format.js";
import { chooseIsolation } from "../src/sandbox/ladder.js";
import { shutdownAll } from "../src/session/running.js";
import { cellOf, miniAssignment } from "./support/course.js";

const place = sharingChecker(await chooseIsolation("auto", { unsafe: true }), DEFAULT_LIMITS.box, {
  warm: 1,
});
afterAll(shutdownAll);

describe("mutation testing", () => {
  it("tells good tests from weak ones, and leaves out what does not compile", async () => {
    const assignment = await miniAssignment();
    const notebook = copyNotebook(assignment.notebook);
    const answer = cellOf(notebook, "softmax-answer");
    answer.source =
      '// BEGIN SOLUTION\nfunction softmax(xs: number[]): number[] {\n  const label = "a" + "b";\n  return xs.length > 2 ? [label.length + 40] : [1];\n}\n// END SOLUTION';
    const tests = cellOf(notebook, "softmax-tests");
    tests.source = `const s = check("S");
s.test("long", { points: 2 }, async () => { const [x] = await student.softmax<number[]>([1, 2, 3]); expectTrue(x > 3, "large"); });
// BEGIN HIDDEN TESTS
s.test("short", { points: 1 }, async () => { expectEqual(await student.softmax([1]), [1]); });
// END HIDDEN TESTS
await s.run();`;
    const changed = assignmentOf(notebook, assignment.path);
    const only = { ...changed, tasks: changed.tasks.filter(({ name }) => name === "softmax") };
    const [{ ran, killed, survivors }] = await mutationTest(only, { place, most: 50 });
    const living = survivors.map(({ mutant }) => mutant.change);
    // The exact number is checked by no test, nor what happens for two values.
    expect(living).toEqual(
      expect.arrayContaining(["40 → 41", "xs.length > 2 → xs.length >= 2", "2 → 3"].slice(0, 2)),
    );
    expect(living).not.toContain("1 → 2");
    expect(killed).toBe(ran - survivors.length);
    expect(killed).toBeGreaterThanOrEqual(2);
  }, 200_000);
});
