/** JupyterLab's debugger panel over our kernel: breakpoints by a click in the gutter, the call stack, variables, steps. */
import { existsSync } from "node:fs";
import type { Locator } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it, onTestFailed } from "vitest";
import { CHROMIUM, Lab } from "./support/lab.js";
import { type LabServer, startLab } from "./support/launcher.js";

const missing = existsSync(CHROMIUM) || process.env.CI ? undefined : `${CHROMIUM} is not installed`;

const CELL = `interface Item { name: string; price: number }

function total(items: Item[]): number {
  let sum = 0;
  for (const item of items) {
    sum += item.price;
  }
  return sum;
}
const basket: Item[] = [{ name: "tea", price: 3 }, { name: "cup", price: 9 }];
const price = total(basket);
price`;

/** What the page shows after a moment: the machine may be busy. */
const soon = <T>(look: () => T) => expect.poll(look, { timeout: 20_000 });

/** The reader's hands and eyes on the panel at the right. */
class Panel {
  constructor(private readonly lab: Lab) {}

  /** The button in the notebook's toolbar. */
  get bug(): Locator {
    return this.lab.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-DebuggerBugButton");
  }

  /** JupyterLab may lose a click on the bug while it still asks a fresh kernel what it can; whoever sees that clicks again. */
  async turnOn(): Promise<void> {
    const on = this.lab.page.locator('[data-jp-debugger="true"]');
    for (let tries = 1; ; tries++) {
      await this.bug.click();
      try {
        return await on.waitFor({ timeout: 10_000 });
      } catch (error) {
        if (tries === 3) throw error;
      }
    }
  }

  /** Clicks beside a line, which sets a breakpoint there or takes it away. */
  async clickBeside(cell: number, line: number): Promise<void> {
    await this.lab.cell(cell).locator(".cm-breakpoint-gutter > .cm-gutterElement").nth(line).click();
  }

  async breakpoints(): Promise<string[]> {
    return this.lab.page.locator(".jp-DebuggerBreakpoint").allTextContents();
  }

  /** `function Cell [n]:line`, top first. */
  async stack(): Promise<string[]> {
    const frames = await this.lab.page.locator(".jp-DebuggerCallstackFrame").all();
    return Promise.all(
      frames.map(async (frame) =>
        (await frame.locator("span").allTextContents()).join(" ").replace("[*]", "[n]"),
      ),
    );
  }

  async standsAt(...frames: string[]): Promise<void> {
    await soon(() => this.stack()).toEqual(frames);
  }

  /** Presses one of the buttons over the call stack. */
  async press(command: "next" | "stepIn" | "stepOut" | "continue"): Promise<void> {
    await this.lab.page.locator(`.jp-SidePanel [data-command="debugger:${command}"]`).first().click();
  }

  variable(name: string): Locator {
    const named = this.lab.page.locator(".jp-DebuggerVariables-name").getByText(name, { exact: true });
    return named.first().locator("xpath=..");
  }

  /** What the panel shows of a variable. */
  async value(name: string): Promise<string | null> {
    return this.variable(name).locator("> .jp-DebuggerVariables-detail").textContent({ timeout: 5_000 });
  }

  async scope(name: string): Promise<void> {
    await this.lab.page.locator('select[aria-label="Scope"]').selectOption(name);
  }
}

describe.skipIf(missing)(
  `the debugger${missing ? ` (skipped: ${missing})` : ""}`,
  { timeout: 120_000 },
  () => {
    let server: LabServer;
    let lab: Lab;
    let panel: Panel;
    beforeAll(async () => {
      server = await startLab();
      lab = await Lab.open(server);
      panel = new Panel(lab);
      await lab.newNotebook("TypeScript (mlsys)");
    }, 300_000);
    afterAll(async () => {
      await lab?.close();
      expect(await server?.stop()).toBe(0);
    }, 60_000);

    const shown = (name: string): void =>
      onTestFailed(async () => {
        await lab.screenshot(`failed-debugger-${name}`);
      });

    it("stops at a breakpoint that was set by a click in the gutter", async () => {
      shown("breakpoint");
      await lab.write(0, CELL);
      await panel.turnOn();
      await panel.clickBeside(0, 6);
      await soon(() => panel.breakpoints()).toEqual([expect.stringMatching(/^Cell \[ ?\].*6$/)]);
      await lab.start(0);
      await panel.standsAt("total Cell [n]:6", "<cell> Cell [n]:11");
      await lab.page.getByText("Paused in Debugger").waitFor();
      await soon(() => lab.cell(0).locator(".jp-DebuggerEditor-highlight").textContent()).toContain(
        "sum += item.price;",
      );
      await lab.screenshot("debugger-stopped");
    });

    it("shows the variables with their values, and what is in them", async () => {
      shown("variables");
      expect(await panel.value("sum")).toBe("0");
      expect(await panel.value("item")).toBe("{ name: 'tea', price: 3 }");
      await panel.variable("items").click();
      await panel.variable("1").waitFor();
      expect(await panel.value("1")).toBe("{ name: 'cup', price: 9 }");
      await panel.scope("Globals");
      expect(await panel.value("basket")).toContain("{ name: 'tea', price: 3 }");
      await lab.screenshot("debugger-globals");
      await panel.scope("Locals");
    });

    it("steps over a line and out of the function; the values follow", async () => {
      shown("steps");
      await panel.press("next");
      await panel.standsAt(expect.stringMatching(/^total Cell \[n\]:5$/) as never, "<cell> Cell [n]:11");
      await soon(() => panel.value("sum")).toBe("3");
      await panel.clickBeside(0, 6);
      await soon(() => panel.breakpoints()).toEqual([]);
      await panel.press("stepOut");
      await panel.standsAt(expect.stringMatching(/^<cell> Cell \[n\]:1[12]$/) as never);
      await panel.press("continue");
      await lab.finished(0);
      expect(await lab.text(0)).toBe("12");
      await soon(() => panel.stack()).toEqual([]);
      await soon(() => panel.value("price")).toBe("12");
      await lab.screenshot("debugger-done");
    });

    it("draws a variable as a cell would", async () => {
      shown("rich");
      await panel.variable("basket").hover();
      await panel.variable("basket").locator("> .jp-DebuggerVariables-renderVariable").click();
      const drawn = lab.page.locator(".jp-DebuggerRichVariable table");
      await drawn.waitFor();
      expect(await drawn.textContent()).toContain("cup9");
      await lab.screenshot("debugger-rich");
      await lab.page.locator(".lm-TabBar-tab.lm-mod-current .lm-TabBar-tabCloseIcon").last().click();
    });

    it("steps into the library, in its TypeScript", async () => {
      shown("library");
      await lab.page.locator(".jp-NotebookPanel").click({ position: { x: 300, y: 600 } });
      const at = await lab.lastCell();
      await lab.write(at, 'import { tensor } from "mlsys";\nconst t = tensor([[1, 2], [3, 4]]);\nt.add(1)');
      await panel.clickBeside(at, 3);
      await soon(() => panel.breakpoints()).toHaveLength(1);
      await lab.start(at);
      await panel.standsAt("<cell> Cell [n]:3");
      expect(await panel.value("t")).toBe("tensor([[1., 2.], [3., 4.]], float32(2, 2))");
      await panel.press("stepIn");
      await soon(() => panel.stack()).toHaveLength(2);
      expect((await panel.stack())[0]).toMatch(/\.ts:\d+$/);
      const line = lab.page.locator(".lm-DockPanel-widget:not(.lm-mod-hidden) .jp-DebuggerEditor-highlight");
      await soon(() => line.textContent()).toMatch(/return|this/);
      await line.locator("span[class*=ͼ]").first().waitFor();
      await lab.screenshot("debugger-library");
      await panel.press("continue");
      await lab.page.locator(".lm-TabBar-tab").getByText("Untitled.ipynb").first().click();
      await lab.finished(at);
      const sources = lab.page.locator(".jp-DebuggerKernelSource-source");
      await sources.getByText("core/tensor.ts", { exact: true }).first().waitFor();
      await panel.clickBeside(at, 3);
      await soon(() => panel.breakpoints()).toEqual([]);
    });

    it("stops at exceptions when it is asked to", async () => {
      shown("exceptions");
      const at = await lab.lastCell();
      await lab.write(at, 'const limit = 3;\nthrow new RangeError("over " + limit);');
      const uncaught = async () => {
        await lab.page.locator(".jp-debugger-pauseOnExceptions").click();
        await lab.page.locator(".lm-Menu-itemLabel").getByText("uncaught", { exact: true }).click();
      };
      await uncaught();
      await lab.start(at);
      await panel.standsAt("<cell> Cell [n]:2");
      expect(await panel.value("(exception)")).toBe("RangeError: over 3");
      await lab.screenshot("debugger-exception");
      await panel.press("continue");
      await soon(() => lab.text(at)).toContain("RangeError: over 3");
      await uncaught();
    });

    it("is left by an interrupt", async () => {
      shown("interrupt");
      const at = await lab.lastCell();
      await lab.write(at, "let kept = 1;\nkept += 1;\nkept");
      await panel.clickBeside(at, 2);
      await soon(() => panel.breakpoints()).toContainEqual(expect.stringMatching(/^Cell \[ ?\].*2$/));
      await lab.start(at);
      await panel.standsAt("<cell> Cell [n]:2");
      await lab.menu("Kernel", "Interrupt Kernel");
      await soon(() => lab.text(at)).toContain("Interrupted");
      await soon(() => panel.stack()).toEqual([]);
      await soon(() => panel.value("kept")).toBe("1");
      await lab.screenshot("debugger-interrupted");
    });

    it("keeps its breakpoints when the kernel restarts while a cell stands", async () => {
      shown("restart");
      const at = (await lab.lastCell()) - 1;
      await lab.start(at);
      await panel.standsAt("<cell> Cell [n]:2");
      const socket = lab.page.waitForEvent("websocket");
      await lab.menu("Kernel", "Restart Kernel…");
      await lab.page.locator(".jp-Dialog").getByRole("button", { name: "Confirm Kernel Restart" }).click();
      // The panel lists what it is about to tell the kernel.
      await (await socket).waitForEvent("framereceived", {
        predicate: ({ payload }) => payload.includes('"command":"setBreakpoints"'),
      });
      await soon(() => panel.stack()).toEqual([]);
      await lab.idle();
      await soon(() => panel.breakpoints()).toHaveLength(1);
      await lab.start(at);
      await panel.standsAt("<cell> Cell [n]:2");
      await lab.screenshot("debugger-restarted");
      await panel.press("continue");
      await soon(() => lab.text(at)).toBe("2");
    });

    it("is turned off, and cells run through", async () => {
      shown("off");
      const at = (await lab.lastCell()) - 1;
      await panel.bug.click();
      await lab.page.locator('[data-jp-debugger="true"]').waitFor({ state: "detached" });
      await lab.run(at);
      expect(await lab.text(at)).toBe("2");
    });
  },
);
