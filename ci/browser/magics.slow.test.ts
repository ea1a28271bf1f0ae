/** Magics and displays in a real JupyterLab: completed, loaded, interrupted, drawn. */
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { CHROMIUM, Lab } from "./support/lab.js";
import { type LabServer, ROOT, startLab } from "./support/launcher.js";

const missing = existsSync(CHROMIUM) || process.env.CI ? undefined : `${CHROMIUM} is not installed`;

describe.skipIf(missing)(`magics${missing ? ` (skipped: ${missing})` : ""}`, { timeout: 120_000 }, () => {
  let server: LabServer;
  let lab: Lab;

  beforeAll(async () => {
    server = await startLab();
    writeFileSync(join(ROOT, server.scratch, "snippet.ts"), "const loaded: number = 6;\nloaded * 7;\n");
    lab = await Lab.open(server);
    await lab.newNotebook("TypeScript (mlsys)");
  }, 300_000);
  afterAll(async () => {
    await lab?.close();
    await server?.stop();
  });
  afterEach(async ({ task }) => {
    if (task.result?.state === "fail") await lab.screenshot(`magics-failed-${task.name.slice(0, 30)}`);
  });

  it("completes the name of a magic with Tab, and explains it with Shift+Tab", async () => {
    const at = await lab.lastCell();
    await lab.write(at, "%ti");
    await lab.page.keyboard.press("Tab");
    const matches = lab.page.locator(".jp-Completer .jp-Completer-match");
    await matches.nth(1).waitFor();
    expect(await matches.allTextContents()).toEqual(["%time", "%timeit"]);
    await lab.page.keyboard.press("Escape");
    await lab.write(at, "%timeit");
    await lab.page.keyboard.press("Shift+Tab");
    const tooltip = lab.page.locator(".jp-Tooltip");
    await tooltip.waitFor();
    await expect.poll(() => tooltip.textContent(), { timeout: 10_000 }).toContain("the mean time of a run");
    await lab.page.keyboard.press("Escape");
    await lab.write(at, "");
  });

  it("%load puts a file into the cell, which then runs", async () => {
    const at = await lab.lastCell();
    await lab.run(at, "%load snippet.ts");
    await expect.poll(() => lab.code(at), { timeout: 10_000 }).toContain("loaded * 7;");
    await lab.run(at);
    await expect.poll(() => lab.text(at), { timeout: 10_000 }).toBe("42");
  });

  it("shows the output of %%bash as it comes, and stops it with the toolbar's button", async () => {
    const at = await lab.lastCell();
    await lab.write(at, '%%bash\necho "first line"\nsleep 100\necho never');
    await lab.start(at);
    await expect.poll(() => lab.text(at), { timeout: 20_000 }).toContain("first line");
    await lab.page
      .locator('.jp-NotebookPanel-toolbar [data-command="notebook:interrupt-kernel"]')
      .first()
      .click();
    await lab.finished(at);
    expect(await lab.text(at)).toMatch(/interrupt/i);
    expect(await lab.text(at)).not.toContain("never");
  });

  it("draws %%prof's flame graph, a Vega-Lite chart and a tree that opens", async () => {
    const at = await lab.lastCell();
    await lab.run(
      at,
      "%%prof\nfunction fibonacci(n: number): number { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2) }\nfibonacci(33)",
    );
    const bar = lab.cell(at).locator(".jp-OutputArea-output svg rect").first();
    await bar.waitFor();
    expect((await bar.boundingBox())?.width).toBeGreaterThan(300);
    expect(await lab.cell(at).locator("svg title").allTextContents()).toEqual(
      expect.arrayContaining([expect.stringMatching(/^fibonacci \(Cell \[\d+\]:2\)/)]),
    );
    await lab.run(
      at + 1,
      '({ $schema: "https://vega.github.io/schema/vega-lite/v5.json", mark: "bar", width: 200, height: 80, data: { values: [{ a: "A", b: 3 }, { a: "B", b: 5 }] }, encoding: { x: { field: "a" }, y: { field: "b", type: "quantitative" } } })',
    );
    const chart = lab.cell(at + 1).locator(".vega-embed svg, .vega-embed canvas");
    await chart.first().waitFor({ timeout: 40_000 });
    expect((await chart.first().boundingBox())?.width).toBeGreaterThan(150);
    await lab.run(
      at + 2,
      'Array.from({ length: 30 }, (_, i) => [{ id: i, inner: { deep: ["leaf " + i] } }])',
    );
    const line = lab
      .cell(at + 2)
      .locator("details details summary")
      .first();
    const leaf = lab
      .cell(at + 2)
      .getByText("0: 'leaf 0'", { exact: true })
      .last();
    await line.waitFor();
    expect(await leaf.isVisible()).toBe(false);
    const closed = lab.cell(at + 2).locator("details:not([open]) > summary:visible");
    for (let i = 0; i < 4; i++) await closed.first().click();
    await expect.poll(() => leaf.isVisible()).toBe(true);
    await lab.screenshot("magics-displays");
  });
});
