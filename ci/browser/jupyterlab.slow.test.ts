/** The learner's path in real JupyterLab: the launcher, a new notebook, its help and errors, a chapter, an exercise. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFailed } from "vitest";
import { CHROMIUM, Lab, type SavedCell } from "./support/lab.js";
import { type LabServer, ROOT, startLab } from "./support/launcher.js";

const missing = existsSync(CHROMIUM) || process.env.CI ? undefined : `${CHROMIUM} is not installed`;

describe.skipIf(missing)(`JupyterLab${missing ? ` (skipped: ${missing})` : ""}`, { timeout: 120_000 }, () => {
  let server: LabServer;
  let lab: Lab;
  beforeAll(async () => {
    server = await startLab();
    lab = await Lab.open(server);
  }, 300_000);
  afterAll(async () => {
    await lab?.close();
    expect(await server?.stop()).toBe(0);
  }, 60_000);

  const shown = (name: string): void =>
    onTestFailed(async () => {
      await lab.screenshot(`failed-${name}`);
    });

  describe("a new notebook", () => {
    it("opens from the launcher's card", async () => {
      shown("new");
      await lab.newNotebook("TypeScript (mlsys)");
      await lab.run(0, "const answer: number = 6 * 7;\nanswer");
      expect(await lab.text(0)).toBe("42");
    });

    it("colours TypeScript as TypeScript", async () => {
      shown("colours");
      const at = await lab.lastCell();
      await lab.write(at, "interface Point { x: number }\nconst p: Point = { x: 1 };");
      const styleOf = (word: string) =>
        lab.cell(at).locator(".cm-line span").getByText(word, { exact: true }).first().getAttribute("class");
      expect(await styleOf("interface")).toBe(await styleOf("const"));
      await lab.run(at);
    });

    it("shows a type error with the line of the cell and the source below it", async () => {
      shown("type-error");
      const at = await lab.lastCell();
      await lab.run(at, 'const first = 1;\nconst second: number = "two";');
      const text = await lab.text(at);
      expect(text).toContain("TypeScriptError: Type 'string' is not assignable to type 'number'. (TS2322)");
      expect(text).toContain("line 2:7");
      expect(text).toContain('> 2 | const second: number = "two";');
      await lab.screenshot("type-error");
    });

    it("draws a Plotly figure and an SVG", async () => {
      shown("figures");
      const at = await lab.lastCell();
      await lab.run(
        at,
        'import { viz } from "mlsys";\nviz.line({ loss: [4, 2, 1, 0.5], accuracy: [0.1, 0.5, 0.7, 0.8] }, { title: "Training" })',
      );
      const plot = lab.cell(at).locator(".js-plotly-plot svg.main-svg").first();
      await plot.waitFor();
      expect(await lab.cell(at).locator(".js-plotly-plot .scatterlayer .trace").count()).toBe(2);
      await lab.run(
        at + 1,
        'display.svg(`<svg xmlns="http://www.w3.org/2000/svg" width="120" height="60"><circle cx="30" cy="30" r="25" fill="teal"/></svg>`);',
      );
      await lab.output(at + 1).waitFor();
      const box = await lab
        .output(at + 1)
        .locator("svg, img")
        .first()
        .boundingBox();
      expect(box).toMatchObject({ width: 120, height: 60 });
      await lab.screenshot("figures");
    });

    it("completes with Tab what the type has", async () => {
      shown("completion");
      const at = await lab.lastCell();
      await lab.run(at, 'import { tensor } from "mlsys";\nconst t = tensor([[1, 2], [3, 4]]);');
      await lab.write(at + 1, "t.resh");
      await lab.page.keyboard.press("Tab");
      const matches = lab.page.locator(".jp-Completer .jp-Completer-match");
      await matches.first().waitFor();
      await lab.page.keyboard.press("Enter");
      await expect.poll(() => lab.code(at + 1), { timeout: 20_000 }).toBe("t.reshape");
      await lab.write(at + 1, "t.");
      await lab.page.keyboard.press("Tab");
      // The list is drawn bit by bit.
      await expect
        .poll(() => matches.allTextContents(), { timeout: 20_000 })
        .toEqual(expect.arrayContaining(["reshape", "matmul", "shape", "dtype"]));
      await lab.screenshot("completion");
      await lab.page.keyboard.press("Escape");
    });

    it("shows the signature and the words of the documentation with Shift+Tab", async () => {
      shown("inspection");
      const at = await lab.lastCell();
      await lab.write(at, "viz.histogram");
      await lab.page.keyboard.press("Shift+Tab");
      const tooltip = lab.page.locator(".jp-Tooltip");
      await tooltip.waitFor();
      await expect
        .poll(() => tooltip.textContent(), { timeout: 10_000 })
        .toMatch(/histogram\([\s\S]*values[\s\S]*How often values fall into each bin/);
      await lab.screenshot("inspection");
      await lab.page.keyboard.press("Escape");
      await lab.write(at, "");
    });

    it("stops an endless loop with the toolbar's button; variables keep their values", async () => {
      shown("interrupt");
      const at = await lab.lastCell();
      await lab.write(at, "while (true) {}");
      await lab.start(at);
      await lab.cell(at).locator(".jp-InputPrompt").getByText("[*]").waitFor();
      await lab.page
        .locator('.jp-NotebookPanel-toolbar [data-command="notebook:interrupt-kernel"]')
        .first()
        .click();
      await lab.finished(at);
      expect(await lab.text(at)).toMatch(/interrupt/i);
      await lab.run(at + 1, "answer + 1");
      expect(await lab.text(at + 1)).toBe("43");
      await lab.screenshot("interrupt");
    });

    it("moves a progress bar in place", async () => {
      shown("progress");
      const at = await lab.lastCell();
      await lab.write(
        at,
        'const bar = new viz.ProgressBar(40, { label: "steps" });\nfor (let i = 1; i <= 40; i++) { await new Promise((r) => setTimeout(r, 50)); bar.update(i); }\nbar.finish();',
      );
      await lab.start(at);
      const seen = new Set<string>();
      await lab.output(at).first().waitFor();
      await expect
        .poll(
          async () => {
            expect(await lab.output(at).count()).toBe(1);
            seen.add(/(\d+)\/40/.exec(await lab.text(at))?.[1] ?? "none");
            if (seen.size === 5) await lab.screenshot("progress");
            return seen.has("40");
          },
          { timeout: 20_000, interval: 10 },
        )
        .toBe(true);
      expect(seen.size).toBeGreaterThan(4);
      expect(seen).not.toContain("none");
    });

    it("would save what it shows", async () => {
      const { cells } = await lab.saved();
      expect(errors(cells)).toEqual([
        expect.stringMatching(/^cell 3: TypeScriptError/),
        expect.stringMatching(/: Interrupted/),
      ]);
    });
  });

  it(`Run All of notebooks/${TOUR}: no error, every figure is drawn`, { timeout: 400_000 }, async () => {
    shown(TOUR);
    await lab.openNotebook(`notebooks/${TOUR}`);
    await lab.menu("Edit", "Clear Outputs of All Cells");
    await lab.menu("Run", "Run All Cells");
    const cells = await ran(lab, 300_000);
    expect(errors(cells)).toEqual([]);
    await drawn(lab, TOUR, cells);
  });

  // That a run gives what is stored, notebooks.slow.test.ts proves for each.
  for (const name of notebooks("notebooks").filter((name) => name !== TOUR)) {
    it(`notebooks/${name} opens with every figure drawn`, async () => {
      shown(name);
      await lab.openNotebook(`notebooks/${name}`);
      const { cells } = await lab.saved();
      expect(errors(cells)).toEqual([]);
      await drawn(lab, name, cells);
    });
  }

  for (const name of notebooks("exercises")) {
    it(`exercises/${name}: the first task's check fails on the stub and passes on the answer`, async () => {
      shown(`exercise-${name}`);
      const solution: SavedCell[] = JSON.parse(readFileSync(join(ROOT, "solutions", name), "utf8")).cells;
      const [answer, check] = ["solution", "grade"].map((flag) =>
        solution.findIndex(({ metadata }) => metadata.nbgrader?.[flag]),
      );
      await lab.openNotebook(`exercises/${name}`);
      // What is given before the first answer: the setup, and perhaps types of the task.
      for (const [at, cell] of solution.slice(0, answer).entries())
        if (cell.cell_type === "code") await lab.run(at);
      // Between answer and check may stand what the check needs.
      const theRest = async (): Promise<void> => {
        for (const [at, cell] of solution.slice(0, check + 1).entries())
          if (at > answer && cell.cell_type === "code") await lab.run(at);
      };
      await lab.run(answer);
      await theRest();
      expect(await lab.text(check)).toMatch(/0 of \d+/);
      await lab.screenshot("exercise-untouched");
      const source = [solution[answer].source].flat().join("");
      await lab.run(answer, source.replace(/^ *\/\/ (BEGIN|END) SOLUTION\n/gm, ""));
      await theRest();
      const [, points, of] = /(\d+) of (\d+)/.exec(await lab.text(check)) ?? [];
      expect(Number(points)).toBeGreaterThan(0);
      expect(points).toBe(of);
      await lab.screenshot("exercise-answered");
    });
  }
});

/** The notebook that is run in the page as learners do; it has figures, progress and errors of every kind. */
const TOUR = "00-kernel-tour.ipynb";

/** What a figure of each type becomes in the page. */
const FIGURES: Record<string, string> = {
  "application/vnd.plotly.v1+json": ".js-plotly-plot .main-svg:first-of-type",
  "image/svg+xml": ".jp-RenderedSVG svg, .jp-RenderedSVG img",
};

/** Scrolls to each cell that has a figure and waits for it; `MLSYS_SCREENSHOTS=1` keeps a picture of each. */
async function drawn(lab: Lab, name: string, cells: SavedCell[]): Promise<void> {
  const figures = cells.flatMap((cell, index) => {
    const kinds = (cell.outputs ?? []).flatMap(
      ({ data = {} }) => Object.keys(FIGURES).find((type) => type in data) ?? [],
    );
    return kinds.length > 0 ? [{ index, kinds }] : [];
  });
  expect(figures.length, "cells with a figure").toBeGreaterThan(0);
  for (const { index, kinds } of figures) {
    await lab.select(index);
    for (const kind of new Set(kinds)) {
      const shapes = lab.cell(index).locator(FIGURES[kind]);
      await expect
        .poll(() => shapes.count(), { timeout: 20_000 })
        .toBeGreaterThanOrEqual(kinds.filter((k) => k === kind).length);
      const box = await shapes.first().boundingBox();
      expect(Math.min(box?.width ?? 0, box?.height ?? 0), `${kind} of cell ${index}`).toBeGreaterThan(20);
    }
    if (process.env.MLSYS_SCREENSHOTS)
      await lab.screenshot(`${name.replace(".ipynb", "")}-${String(index).padStart(2, "0")}`);
  }
}

function notebooks(folder: string): string[] {
  const path = join(ROOT, folder);
  return existsSync(path) ? readdirSync(path).filter((name) => name.endsWith(".ipynb")) : [];
}

/** The errors in the outputs, from top to bottom. */
function errors(cells: SavedCell[]): string[] {
  return cells.flatMap((cell, index) =>
    (cell.outputs ?? [])
      .filter((output) => output.output_type === "error")
      .map((output) => `cell ${index + 1}: ${output.ename}: ${output.evalue}`),
  );
}

/** Waits until every cell with code has its number, or one has failed; the cells then. */
async function ran(lab: Lab, timeout: number): Promise<SavedCell[]> {
  const until = Date.now() + timeout;
  for (;;) {
    const { cells } = await lab.saved();
    const waiting = cells.filter(
      (cell) => cell.cell_type === "code" && [cell.source].flat().join("").trim() && !cell.execution_count,
    );
    if (waiting.length === 0 || errors(cells).length > 0) return cells;
    if (Date.now() > until)
      throw new Error(`after ${timeout / 1000} s, ${waiting.length} cells have not run`);
    await lab.page.waitForTimeout(2_000);
  }
}
