/** Widgets in a real JupyterLab with the front end of ipywidgets: moved, clicked, loaded again, interrupted. */
import { existsSync } from "node:fs";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { CHROMIUM, Lab } from "./support/lab.js";
import { type LabServer, startLab } from "./support/launcher.js";

const missing = existsSync(CHROMIUM) || process.env.CI ? undefined : `${CHROMIUM} is not installed`;

describe.skipIf(missing)(`widgets${missing ? ` (skipped: ${missing})` : ""}`, { timeout: 90_000 }, () => {
  let server: LabServer;
  let lab: Lab;
  const problems: string[] = [];

  beforeAll(async () => {
    server = await startLab();
    lab = await Lab.open(server);
    lab.page.on("pageerror", (error) => problems.push(error.message));
    await lab.newNotebook("TypeScript (mlsys)");
    await lab.run(0, 'import { viz, widgets } from "mlsys";');
  }, 300_000);
  afterAll(async () => {
    await lab?.close();
    await server?.stop();
  });
  afterEach(async ({ task }) => {
    if (task.result?.state === "fail") await lab.screenshot(`widgets-failed-${task.name.slice(0, 30)}`);
  });

  const handle = (at: number) => lab.cell(at).locator(".widget-slider .noUi-handle");

  it("draws every control", async () => {
    const at = await lab.lastCell();
    await lab.run(
      at,
      `widgets.vbox([
  widgets.intSlider({ description: "int", value: 3, max: 10 }),
  widgets.floatRangeSlider({ description: "range", value: [0.2, 0.7], max: 1 }),
  widgets.hbox([widgets.button({ description: "Button", icon: "check", buttonStyle: "success" }), widgets.toggleButton({ description: "Toggle", value: true })]),
  widgets.checkbox({ description: "check", value: true }),
  widgets.text({ description: "text", value: "relu" }),
  widgets.textarea({ description: "area", value: "two\\nlines" }),
  widgets.dropdown({ description: "dropdown", options: ["sgd", "adam"], value: "adam" }),
  widgets.select({ description: "select", options: [1, 2, 4] }),
  widgets.radioButtons({ description: "radio", options: ["a", "b"] }),
  widgets.toggleButtons({ description: "buttons", options: ["train", "test"], value: "test" }),
  widgets.intProgress({ description: "progress", value: 60, barStyle: "info" }),
  widgets.html({ value: "<b>bold</b>" }),
  widgets.label({ value: "a label" }),
])`,
    );
    const box = lab.cell(at).locator(".jp-OutputArea-output .widget-vbox").first();
    await box.waitFor();
    for (const kind of [
      "slider",
      "button",
      "toggle-button",
      "checkbox",
      "text",
      "textarea",
      "dropdown",
      "select",
      "radio",
      "toggle-buttons",
      "hprogress",
      "html",
      "label",
    ])
      expect(await box.locator(`.widget-${kind}`).count(), kind).toBeGreaterThan(0);
    await expect.poll(() => lab.cell(at).locator(".widget-readout").first().textContent()).toBe("3");
    await lab.screenshot("widgets-controls");
  });

  it("redraws the plot of interact when the slider moves", async () => {
    const at = await lab.lastCell();
    await lab.run(
      at,
      `widgets.interact(
  ({ power, points }) => viz.line({ y: Array.from({ length: points }, (_, i) => i ** power) }, { title: \`power \${power}\` }),
  { power: [0, 4], points: [5, 50, 5] },
)`,
    );
    const title = () => lab.cell(at).locator(".js-plotly-plot .gtitle").first().textContent();
    await expect.poll(title, { timeout: 20_000 }).toBe("power 2");
    await lab.screenshot("widgets-interact-before");
    await handle(at).first().focus();
    await lab.page.keyboard.press("ArrowRight");
    await expect.poll(title, { timeout: 10_000 }).toBe("power 3");
    await lab.page.keyboard.press("ArrowRight");
    await expect.poll(title, { timeout: 10_000 }).toBe("power 4");
    expect(await lab.cell(at).locator(".js-plotly-plot").count()).toBe(1);
    await lab.screenshot("widgets-interact-after");
  });

  it("the IR explorer shows the difference of the pass that is picked, and the graph in other forms", async () => {
    const at = await lab.lastCell();
    await lab.run(
      at,
      `import { capture, tensor, type Tensor } from "mlsys";
viz.exploreIr(capture((x: Tensor) => x.mul(2).exp().add(x.mul(2).exp()).mul(1), tensor([1, 2])))`,
    );
    const list = lab.cell(at).locator("select");
    const shown = () => lab.cell(at).locator(".widget-output").textContent();
    await expect.poll(shown, { timeout: 20_000 }).toContain("as the program was written");
    const steps = await list.first().locator("option").allTextContents();
    const cse = steps.findIndex((text) => text.includes("cse"));
    expect(cse).toBeGreaterThan(0);
    await list.first().selectOption({ index: cse });
    await expect.poll(shown, { timeout: 10_000 }).toContain("computes once what is computed several times");
    expect(await shown()).toMatch(/−\s+%\d+ = exp/);
    await lab.screenshot("ir-explorer-difference");
    await list.nth(1).selectOption({ index: 1 }); // the drawing
    await lab.cell(at).locator(".widget-output svg").waitFor({ timeout: 10_000 });
    await lab.screenshot("ir-explorer-drawing");
    await list.nth(1).selectOption({ label: "jaxpr" });
    await expect.poll(shown, { timeout: 10_000 }).toContain("{ lambda ;");
  });

  it("runs a button's callback and prints into its output area", async () => {
    const at = await lab.lastCell();
    await lab.run(
      at,
      `const go = widgets.button({ description: "Train" });
const log = widgets.output();
let step = 0;
go.onClick(() => log.capture(() => console.log("step", ++step)));
widgets.vbox([go, log])`,
    );
    const button = lab.cell(at).getByRole("button", { name: "Train" });
    await button.click();
    await button.click();
    await expect
      .poll(() => lab.cell(at).locator(".widget-output").textContent(), { timeout: 10_000 })
      .toContain("step 1\nstep 2");
    await lab.run(at + 1, "step");
    expect(await lab.text(at + 1)).toBe("2");
    await lab.screenshot("widgets-button");
  });

  it("prints of a callback without an area appear below the widget", async () => {
    const at = await lab.lastCell();
    await lab.run(
      at,
      'const say = widgets.button({ description: "Say" });\nsay.onClick(() => console.log("said"));\nsay',
    );
    await lab.cell(at).getByRole("button", { name: "Say" }).click();
    await expect.poll(() => lab.text(at), { timeout: 10_000 }).toContain("said");
  });

  it("an interrupt stops a callback, and the widget answers again", async () => {
    const at = await lab.lastCell();
    await lab.run(
      at,
      `const spin = widgets.button({ description: "Spin" });
const count = widgets.label({ value: "0" });
let spins = 0;
spin.onClick(() => { count.value = String(++spins); while (spins === 1); });
widgets.hbox([spin, count])`,
    );
    const button = lab.cell(at).getByRole("button", { name: "Spin" });
    const label = lab.cell(at).locator(".widget-label").last();
    await button.click();
    await expect.poll(() => label.textContent(), { timeout: 10_000 }).toBe("1");
    await lab.page
      .locator('.jp-NotebookPanel-toolbar [data-command="notebook:interrupt-kernel"]')
      .first()
      .click();
    await expect.poll(() => lab.text(at), { timeout: 10_000 }).toContain("The callback was interrupted");
    await button.click();
    await expect.poll(() => label.textContent(), { timeout: 10_000 }).toBe("2");
  });

  it("keeps state when the page is loaded again", async () => {
    const at = await lab.lastCell();
    await lab.run(at, 'const kept = widgets.intSlider({ description: "kept", value: 5, max: 10 });\nkept');
    await handle(at).focus();
    await lab.page.keyboard.press("ArrowRight");
    await expect.poll(() => lab.cell(at).locator(".widget-readout").textContent()).toBe("6");
    await lab.reload();
    await lab.select(at);
    await expect
      .poll(() => lab.cell(at).locator(".widget-readout").textContent(), { timeout: 30_000 })
      .toBe("6");
    await handle(at).focus();
    await lab.page.keyboard.press("ArrowRight");
    await expect.poll(() => lab.cell(at).locator(".widget-readout").textContent()).toBe("7");
    const last = await lab.lastCell();
    await lab.select(last);
    await lab.run(last, "kept.value");
    expect(await lab.text(last)).toBe("7");
    await lab.screenshot("widgets-reloaded");
  });

  it("a restarted kernel leaves a page that works", async () => {
    await lab.menu("Kernel", "Restart Kernel…");
    await lab.page.locator(".jp-Dialog").getByRole("button", { name: "Confirm Kernel Restart" }).click();
    await lab.idle();
    const at = await lab.lastCell();
    await lab.select(at);
    await lab.run(at, 'import { widgets as again } from "mlsys";\nagain.checkbox({ description: "fresh" })');
    await lab.cell(at).locator(".widget-checkbox").first().waitFor();
    await lab.screenshot("widgets-restarted");
    expect(problems).toEqual([]);
  });
});
