/** JupyterLab in a headless browser, driven by what a learner sees: cards, buttons, keys. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { type Browser, chromium, type Locator, type Page } from "playwright-core";
import { type LabServer, ROOT } from "./launcher.js";

export const CHROMIUM = process.env.MLSYS_CHROMIUM ?? "/usr/bin/chromium";
const CONTENTS = /\/api\/contents\/.*\.ipynb/;
const SCREENSHOTS = join(ROOT, ".mlsys", "screenshots");

export interface SavedCell {
  cell_type: string;
  source: string | string[];
  metadata: { nbgrader?: Record<string, unknown> };
  execution_count?: number | null;
  outputs?: SavedOutput[];
}
export interface SavedOutput {
  output_type: string;
  data?: Record<string, unknown>;
  ename?: string;
  evalue?: string;
}

export class Lab {
  private last: { cells: SavedCell[] } | undefined;

  private constructor(
    private readonly browser: Browser,
    readonly page: Page,
    private readonly server: LabServer,
  ) {}

  private get cells(): Locator {
    return this.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Cell");
  }

  /** A fresh browser. What JupyterLab wants to save is kept here and never reaches the disk: see {@link saved}. */
  static async open(server: LabServer): Promise<Lab> {
    const browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: ["--no-sandbox", "--disable-dev-shm-usage"],
    });
    const page = await browser.newPage({ viewport: { width: 1280, height: 1000 } });
    page.setDefaultTimeout(20_000);
    const lab = new Lab(browser, page, server);
    await page.route(CONTENTS, async (route) => {
      const request = route.request();
      if (request.method() !== "PUT") return route.fallback();
      lab.last = request.postDataJSON().content;
      const now = await route.fetch({
        method: "GET",
        url: `${request.url().split("?")[0]}?content=0`,
        postData: "",
      });
      return route.fulfill({ response: now });
    });
    return lab;
  }

  /** Opens a file or a folder, named from the root of the repository, with nothing else open. */
  async goto(path: string): Promise<void> {
    const url = new URL(this.server.url);
    url.pathname = `/lab/tree/${path}`;
    url.searchParams.set("reset", "");
    await this.page.goto(url.href);
    await this.page.locator("#jupyterlab-splash").waitFor({ state: "detached" });
  }

  /** Opens a notebook and waits until its kernel is idle. */
  async openNotebook(path: string): Promise<void> {
    await this.goto(path);
    await this.idle();
  }

  /** A new notebook, from the card with the kernel's name. */
  async newNotebook(kernel: string): Promise<void> {
    await this.goto(this.server.scratch);
    await this.page.locator(`.jp-LauncherCard[data-category="Notebook"][title="${kernel}"]`).click();
    await this.idle();
  }

  /** Waits until the kernel of the notebook in front says that it is idle. */
  async idle(timeout = 60_000): Promise<void> {
    // Not the circle in the toolbar: it says "idle" before there is a kernel.
    await this.page.locator("#jp-main-statusbar").getByText("TypeScript (mlsys) | Idle").waitFor({ timeout });
  }

  /** Saves the notebook to disk and loads the page anew. */
  async reload(): Promise<void> {
    await this.page.unroute(CONTENTS);
    await this.page.locator("#jp-main-statusbar").waitFor();
    await this.menu("File", "Save Notebook");
    const rename = this.page.locator(".jp-Dialog").getByRole("button", { name: "Rename" });
    await rename.click({ timeout: 3_000 }).catch(() => {});
    await this.page.locator(".lm-TabBar-tab.jp-mod-dirty").waitFor({ state: "detached" });
    await this.page.reload();
    await this.page.locator("#jupyterlab-splash").waitFor({ state: "detached" });
    await this.idle();
  }

  cell(index: number): Locator {
    return this.cells.and(this.page.locator(`[data-windowed-list-index="${index}"]`));
  }

  output(index: number): Locator {
    return this.cell(index).locator(".jp-OutputArea-output");
  }

  /** What a cell's outputs say. */
  async text(index: number): Promise<string> {
    return (await this.output(index).allTextContents()).join("\n").trim();
  }

  /** What is written in a cell. */
  async code(index: number): Promise<string> {
    return (await this.cell(index).locator(".cm-line").allTextContents()).join("\n");
  }

  /** The number of the last cell. */
  async lastCell(): Promise<number> {
    return this.cells.evaluateAll((cells) =>
      Math.max(...cells.map((cell) => Number(cell.getAttribute("data-windowed-list-index")))),
    );
  }

  /** Walks to a cell with the keys that a learner has, which brings it into view. */
  async select(index: number): Promise<void> {
    const status = this.page.locator("#jp-main-statusbar");
    await this.page.keyboard.press("Escape");
    const here = Number(/Cell (\d+)\//.exec((await status.textContent()) ?? "")?.[1]) - 1;
    for (let i = here; i < index; i++) await this.page.keyboard.press("j");
    for (let i = here; i > index; i--) await this.page.keyboard.press("k");
    await status.getByText(`Cell ${index + 1}/`).waitFor();
    await this.cell(index).waitFor();
  }

  /** Replaces the text of a cell; the cursor stands at its end. */
  async write(index: number, code: string): Promise<void> {
    await this.cell(index).locator(".cm-content").click();
    await this.page.keyboard.press("Control+a");
    await this.page.keyboard.press("Delete");
    await this.page.keyboard.insertText(code);
  }

  /** Shift+Enter in a cell; the next cell comes into being if there is none. */
  async start(index: number): Promise<void> {
    await this.cell(index).locator(".cm-content").click();
    await this.page.keyboard.press("Shift+Enter");
  }

  /** Runs a cell and waits for the number in front of it. */
  async run(index: number, code?: string): Promise<void> {
    if (code !== undefined) await this.write(index, code);
    await this.start(index);
    await this.finished(index);
  }

  async finished(index: number, timeout = 60_000): Promise<void> {
    await this.cell(index)
      .locator(".jp-InputPrompt")
      .getByText(/\[\d+\]/)
      .waitFor({ timeout });
  }

  async menu(...path: string[]): Promise<void> {
    await this.page.locator("#jp-MainMenu").getByText(path[0], { exact: true }).click();
    for (const item of path.slice(1))
      await this.page.locator(".lm-Menu-itemLabel").getByText(item, { exact: true }).click();
  }

  /** The notebook as JupyterLab would save it now. */
  async saved(): Promise<{ cells: SavedCell[] }> {
    this.last = undefined;
    // While a chapter trains, the browser has little of the processor: saving may take its time.
    for (let i = 0; i < 1800 && !this.last; i++) {
      if (i % 400 === 0) await this.page.keyboard.press("Control+s");
      // An untitled notebook is asked for its name.
      const rename = this.page.locator(".jp-Dialog").getByRole("button", { name: "Rename" });
      if (await rename.isVisible()) await rename.click();
      await this.page.waitForTimeout(50);
    }
    if (!this.last) throw new Error("JupyterLab saved nothing within 90 seconds of Ctrl+S");
    return this.last;
  }

  /** A picture for the eye, in `.mlsys/screenshots/`. */
  async screenshot(name: string): Promise<void> {
    mkdirSync(SCREENSHOTS, { recursive: true });
    await this.page.screenshot({ path: join(SCREENSHOTS, `${name}.png`) });
  }

  async close(): Promise<void> {
    await this.browser.close();
  }
}
