import { expect, it } from "vitest";
import { capture, type Tensor, tensor, viz } from "../index.js";
import { displaySymbol } from "./bundle.js";

const program = capture(
  (x: Tensor) => {
    const [a, b] = [x.mul(2).exp(), x.mul(2).exp()];
    return a.add(b.mul(1)).div(4);
  },
  tensor([1, 2]),
);

it("has a step for each pass that changed something, each from where the last one ended", () => {
  const { steps } = viz.exploreIr(program, { level: "O3" });
  expect(steps[0]).toMatchObject({ title: "captured", before: program, after: program });
  expect(steps.slice(1).map(({ title }) => title.split(" ")[1])).toContain("cse");
  for (const [i, step] of steps.entries())
    if (i > 0) {
      expect(step.before).toBe(steps[i - 1].after);
      expect(String(step.before)).not.toBe(String(step.after));
    }
});

it("shows the difference, the drawing and every rendering of a step", async () => {
  const explorer = viz.exploreIr(program);
  const last = explorer.steps.length - 1;
  const cse = explorer.steps.findIndex(({ title }) => title.includes("cse"));
  const difference = await explorer.show(cse, "difference");
  expect(String(difference)).toMatch(/removed .*exp/);
  expect(difference.html).toContain("−");
  for (const view of explorer.views)
    expect((await explorer.show(last, view)).html.length).toBeGreaterThan(40);
  expect((await explorer.show(0, "drawing")).html).toContain("<svg");
  await expect(explorer.show(0, "latin")).rejects.toThrow('no form "latin"');
});

it("is shown as HTML where there is no kernel", async () => {
  const bundle = await viz.exploreIr(program)[displaySymbol]();
  expect(String(bundle["text/html"]).match(/<details/g)?.length).toBe(viz.exploreIr(program).steps.length);
  expect(Object.keys(bundle)).toEqual(["text/plain", "text/html"]);
});

it("the controls pick a step and a view", async () => {
  const widget = viz.exploreIr(program).widget();
  await new Promise((done) => setTimeout(done, 20));
  expect(String(widget.result)).toBe(String(program));
  widget.controls.pass.value = 1 as never;
  widget.controls.show.value = "jaxpr" as never;
  await new Promise((done) => setTimeout(done, 50));
  expect(String(widget.result)).toMatch(/^\{ lambda/);
});
