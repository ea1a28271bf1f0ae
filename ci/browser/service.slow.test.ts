/** The service as people meet it: a real browser, the real command, real grading; and a kill in the middle of it. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { formatNotebook } from "../src/notebook/format.js";
import { BIN, command, PLAIN } from "../test/support/command.js";
import { COURSE, handIn, released, scratchFolder, solved } from "../test/support/course.js";
import { CHROMIUM, Lab } from "./support/lab.js";
import { freePort, ROOT, startLab } from "./support/launcher.js";

const missing = existsSync(CHROMIUM) || process.env.CI ? undefined : `${CHROMIUM} is not installed`;
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
// The pictures of the README are made anew on demand only.
const PICTURES =
  process.env.MLSYS_UPDATE === "1" ? join(ROOT, "ci/docs/service") : join(ROOT, ".mlsys/screenshots/service");
const GRADED_MS = 90_000;

describe.skipIf(missing)(
  `the service in a browser${missing ? ` (skipped: ${missing})` : ""}`,
  { timeout: 120_000 },
  () => {
    const folder = scratchFolder(afterAll);
    const data = join(folder, "data");
    const shelf = join(folder, "shelf");
    const tokens: Record<string, string> = {};
    const problems: string[] = [];
    let service: ChildProcess;
    let port: number;
    let browser: Browser;
    let context: BrowserContext;
    let page: Page;

    beforeAll(async () => {
      mkdirSync(PICTURES, { recursive: true });
      mkdirSync(join(shelf, "ann"), { recursive: true });
      handIn(join(shelf, "ann"), await released(), "my-notes.ipynb");
      handIn(folder, await solved({ "softmax-answer": wrongSoftmax }), "mini.ipynb");
      handIn(folder, await solved({ "topo-answer": "for (;;) {}" }), "stuck.ipynb");
      const roster = join(folder, "roster.csv");
      writeFileSync(
        roster,
        'id,name,email,role\nann,Ann Lee,ann@example.org,student\nbob,"Bob, Jr.",,student\nprof,Prof. Chen,,instructor\n',
      );
      const { out, err, code } = await command(COURSE, ["people", "import", roster, "--data", data]);
      expect(code, err).toBe(0);
      for (const line of out.trim().split("\n")) tokens[line.split(",")[0]] = line.split(",")[1];
      port = await freePort();
      service = await serve();
      browser = await chromium.launch({
        executablePath: CHROMIUM,
        args: ["--no-sandbox", "--disable-dev-shm-usage"],
      });
      await visit();
    }, 120_000);
    afterAll(async () => {
      await browser?.close();
      service?.kill("SIGINT");
      if (service && service.exitCode === null) await new Promise((resolve) => service.once("exit", resolve));
    });

    function serve(): Promise<ChildProcess> {
      const args = [
        BIN,
        "serve",
        "--data",
        data,
        "--port",
        String(port),
        "--name",
        "ML systems",
        "--pick",
        shelf,
        "--unsafe",
        "-j",
        "2",
        "--call-timeout",
        "20",
        "--cell-timeout",
        "12",
      ];
      const child = spawn(process.execPath, args, {
        cwd: COURSE,
        env: PLAIN,
        stdio: ["ignore", "pipe", "inherit"],
      });
      return new Promise((resolve, reject) => {
        child.stdout?.setEncoding("utf8").once("data", () => resolve(child));
        child.once("exit", (code) => reject(new Error(`the service ended with ${code}`)));
      });
    }

    /** A browser of its own, as another person has. */
    async function visit(options: Parameters<Browser["newContext"]>[0] = {}): Promise<void> {
      await context?.close();
      context = await browser.newContext({
        baseURL: `http://127.0.0.1:${port}`,
        viewport: { width: 800, height: 640 },
        ...options,
      });
      page = await context.newPage();
      page.setDefaultTimeout(30_000);
      // What the policy of the pages forbids shows up here.
      page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
      page.on("pageerror", (error) => problems.push(error.message));
    }

    async function signIn(person: string): Promise<void> {
      await page.goto("/");
      await page.getByLabel("Course token").fill(tokens[person]);
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.getByRole("heading", { level: 1, name: "Hand in" }).waitFor();
    }

    /** Looks at the page with axe (WCAG 2.2 A and AA), and keeps a picture. */
    async function look(name: string): Promise<void> {
      await page.evaluate(AXE);
      const found = await page.evaluate(async () => {
        const { axe } = globalThis as unknown as {
          axe: { run(options: object): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> };
        };
        const { violations } = await axe.run({
          runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
        });
        return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
      });
      expect(found, name).toEqual([]);
      await page.screenshot({
        path: join(PICTURES, `${name}.png`),
      });
    }

    it("asks for the token, and says so when it is wrong", async () => {
      await page.goto("/");
      await page.getByLabel("Course token").fill("not-mine");
      await page.keyboard.press("Enter");
      await page.getByRole("alert").getByText("This token is not known").waitFor();
      // A refused sign-in is no mistake of the page's.
      problems.splice(0);
      await look("1-sign-in");
      await signIn("ann");
      await look("2-hand-in");
    });

    it("takes a notebook, shows how far it is while it is graded, and then the result", async () => {
      const seen = new Set<string>();
      await page.exposeFunction("saw", (words: string) => seen.add(words));
      await page.addInitScript(() => {
        const record = globalThis as unknown as {
          saw(text: string): void;
          document: { querySelector(s: string): { textContent: string } | null };
        };
        setInterval(() => {
          const line = record.document.querySelector("[data-words]");
          if (line) record.saw(line.textContent);
        }, 20);
      });
      await page.getByLabel("Notebook from your computer").setInputFiles(join(folder, "mini.ipynb"));
      await page.getByRole("button", { name: "Hand in" }).click();
      await page
        .getByText("11 of 12 points")
        .or(page.getByText("10 of 12 points"))
        .waitFor({ timeout: GRADED_MS });
      // Told by events, on the page as it was first loaded.
      expect([...seen].filter((words) => words.startsWith("Being graded")).length).toBeGreaterThan(0);
      await look("4-result");
    });

    it("gives feedback that says what went wrong and nothing of the hidden tests", async () => {
      const address = page.url();
      await page.getByRole("link", { name: "Feedback on each test" }).click();
      await page.getByText("wrong answer").first().waitFor();
      await page.screenshot({ path: join(PICTURES, "5-feedback.png") });
      expect(await page.content()).not.toMatch(/expectClose|rng\(/);
      await page.goto(address);
      const [download] = await Promise.all([
        page.waitForEvent("download"),
        page.getByRole("link", { name: "mini.ipynb" }).click(),
      ]);
      expect(readFileSync(await download.path(), "utf8")).toBe(
        readFileSync(join(folder, "mini.ipynb"), "utf8"),
      );
    });

    it("takes a notebook from the learner's folder, and keeps the history", async () => {
      await page.goto("/");
      await page.getByLabel("Or one from your folder").selectOption("my-notes.ipynb");
      await page.getByRole("button", { name: "Hand in" }).click();
      await page.getByText("0 of 12 points").waitFor({ timeout: GRADED_MS });
      await page.goto("/");
      await page.getByRole("cell", { name: "my-notes.ipynb" }).waitFor();
      expect(await page.getByRole("row").count()).toBe(3);
      await look("6-history");
    });

    it("says what is wrong with a file", async () => {
      writeFileSync(join(folder, "broken.ipynb"), formatNotebook(await solved()).slice(0, 900));
      await page.getByLabel("Notebook from your computer").setInputFiles(join(folder, "broken.ipynb"));
      await page.getByRole("button", { name: "Hand in" }).click();
      await page.getByRole("alert").getByText("broken.ipynb: is not JSON").waitFor();
      problems.splice(0); // the browser notes the status 422
      await look("7-refused");
    });

    it("is killed while it grades, starts again, and grades to the end; the open page sees it", async () => {
      await page.goto("/");
      await page.getByLabel("Notebook from your computer").setInputFiles(join(folder, "stuck.ipynb"));
      await page.getByRole("button", { name: "Hand in" }).click();
      await page.getByText(/^Being graded/).waitFor({ timeout: GRADED_MS });
      await look("3-being-graded");
      const ended = new Promise((resolve) => service.once("exit", resolve));
      service.kill("SIGKILL");
      await ended;
      service = await serve();
      await page.getByText(/^6 of 12 points/).waitFor({ timeout: GRADED_MS });
      problems.splice(0); // the browser notes the connection that broke
    });

    it("shows the instructor everyone's results, and exports them", async () => {
      await visit({ colorScheme: "dark" });
      await signIn("prof");
      await page.getByRole("link", { name: "Gradebook" }).click();
      await page.getByRole("rowheader", { name: "Ann Lee" }).waitFor();
      await look("8-gradebook-dark");
      const [download] = await Promise.all([
        page.waitForEvent("download"),
        page.getByRole("link", { name: "CSV", exact: true }).click(),
      ]);
      const csv = readFileSync(await download.path(), "utf8");
      expect(csv).toMatch(/\r\nann,Ann Lee,ann@example\.org,mini,11,12,3,0,0,/);
      expect(csv).toMatch(/\r\nbob,"Bob, Jr\.",,mini,,,0,0,0,,,,,\r\n$/);
      await page.getByRole("row", { name: "Ann Lee" }).getByRole("cell").getByRole("link").click();
      await page.getByRole("heading", { name: "All tests" }).waitFor();
      await look("9-instructor-dark");
      expect(await page.getByText("hidden").count()).toBeGreaterThan(0);
    });

    it("lets the instructor decide a task's points and say why; the learner sees both", async () => {
      await page.getByLabel("About").selectOption({ index: 1 });
      await page.getByLabel("Points for the task, instead of the tests'").fill("2.5");
      await page.getByLabel("Comment").fill("The order is right, but see page 3.");
      await page.getByRole("button", { name: "Decide" }).click();
      await page.getByRole("cell", { name: "The order is right, but see page 3." }).waitFor();
      await page.getByRole("heading", { name: "Decisions" }).scrollIntoViewIfNeeded();
      await look("12-decisions-dark");
      const decided = await page.locator(".score").textContent();
      const address = page.url();
      await visit();
      await signIn("ann");
      await page.goto(address);
      expect(await page.locator(".score").textContent()).toBe(decided);
      await page.getByText("decided; the tests gave").waitFor();
      await page.getByText("The order is right, but see page 3.").waitFor();
      expect(await page.getByRole("heading", { name: "Decisions" }).count()).toBe(0);
      await look("13-decided");
    });

    it("fills in the table that Canvas exported, and gives the other exports", async () => {
      await visit();
      await signIn("prof");
      await page.goto("/gradebook#exports");
      const roster = join(folder, "canvas.csv");
      writeFileSync(
        roster,
        'Student,ID,SIS User ID,SIS Login ID,Section,Mini (77)\n    Points Possible,,,,,12\n"Lee, Ann",101,,ann,A,\n',
      );
      await page.getByLabel("Its column in Canvas").fill("Mini (77)");
      await page.getByLabel("The grades as Canvas exported them").setInputFiles(roster);
      await look("14-exports");
      const [filled] = await Promise.all([
        page.waitForEvent("download"),
        page.getByRole("button", { name: "Fill in" }).click(),
      ]);
      expect(filled.suggestedFilename()).toBe("canvas.csv");
      expect(readFileSync(await filled.path(), "utf8")).toMatch(/"Lee, Ann",101,,ann,A,\d/);
      const [pages] = await Promise.all([
        page.waitForEvent("download"),
        page.getByRole("link", { name: "Learners' feedback pages (zip)" }).click(),
      ]);
      expect(
        readFileSync(await pages.path())
          .subarray(0, 2)
          .toString(),
      ).toBe("PK");
    });

    it("works on a small screen, without scripts, and by keyboard alone", async () => {
      await visit({ javaScriptEnabled: false, viewport: { width: 375, height: 640 } });
      await page.goto("/signin");
      await page.keyboard.press("Tab"); // past the navigation
      await page.keyboard.press("Enter");
      await page.getByLabel("Course token").focus();
      await page.keyboard.type(tokens.bob);
      await page.keyboard.press("Enter");
      await page.getByRole("heading", { level: 1, name: "Hand in" }).waitFor();
      await page.getByLabel("Notebook from your computer").setInputFiles(join(folder, "mini.ipynb"));
      await page.getByRole("button", { name: "Hand in" }).press("Enter");
      // The page loads itself anew.
      await page.getByText("11 of 12 points").waitFor({ timeout: GRADED_MS });
      const overflow = await page.locator("html").boundingBox();
      expect(overflow?.width).toBeLessThanOrEqual(375);
      await page.screenshot({ path: join(PICTURES, "10-small-screen.png") });
    });

    it("takes a notebook from JupyterLab: %submit asks there, and gives the receipt", async () => {
      const account = { MLSYS_SERVER: `http://127.0.0.1:${port}`, MLSYS_TOKEN: tokens.bob };
      Object.assign(process.env, account);
      const server = await startLab().finally(() => {
        for (const name of Object.keys(account)) delete process.env[name];
      });
      const lab = await Lab.open(server);
      try {
        await lab.page.setViewportSize({ width: 1000, height: 900 });
        handIn(join(ROOT, server.scratch), await solved(), "mini.ipynb");
        await lab.openNotebook(`${server.scratch}/mini.ipynb`);
        await lab.page.keyboard.press("Escape");
        const last = await lab.lastCell();
        await lab.select(last);
        await lab.page.keyboard.press("b");
        const at = last + 1;
        await lab.write(at, "%submit");
        await lab.start(at);
        const answer = lab.cell(at).locator("input.jp-Stdin-input");
        await answer.waitFor({ timeout: GRADED_MS });
        await answer.fill("y");
        await answer.press("Enter");
        await lab.finished(at, GRADED_MS);
        const text = await lab.text(at);
        expect(text).toMatch(/Small graphs: mini\.ipynb/);
        expect(text).toMatch(/Visible tests: 4 of 4 pass/);
        expect(text).toMatch(/Receipt \S+, accepted/);
        expect(text).toMatch(/12 of 12 points/);
        await lab.page.screenshot({ path: join(PICTURES, "11-notebook.png") });
      } finally {
        await lab.close();
        await server.stop();
      }
    });

    it("broke none of the rules that its own pages set", () => {
      expect(problems).toEqual([]);
    });
  },
);

const wrongSoftmax = `function softmax(rows: number[][]): number[][] {
  return rows.map((row) => {
    const exps = row.map(Math.exp);
    const total = exps.reduce((a, b) => a + b, 0);
    return exps.map((x) => x / total);
  });
}`;
