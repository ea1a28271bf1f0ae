/** Handing in from the command line and from a notebook, to a service that is real but for its grader. */
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type ExecuteResult, KernelClient, type KernelProcess, launchKernel } from "@mlsys/kernel/client";
import { kernelSpec } from "@mlsys/kernel/spec";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { formatNotebook } from "../src/notebook/format.js";
import { accountFor, remember } from "../src/submit/accounts.js";
import { ServiceClient } from "../src/submit/client.js";
import { previewOf } from "../src/submit/preview.js";
import { type SubmitOptions, submit } from "../src/submit/submit.js";
import { command } from "./support/command.js";
import { cellOf, handIn, released, scratchFolder, solved } from "./support/course.js";
import { notebookText, type Tried, tryService } from "./support/service.js";

const data = scratchFolder(afterAll);
// Within the project: a notebook's folder is where its packages are found from.
const dist = fileURLToPath(new URL("../dist/", import.meta.url));
mkdirSync(dist, { recursive: true });
const folder = mkdtempSync(join(dist, "submit-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let tried: Tried;
let token: string;
let file: string;
const env: NodeJS.ProcessEnv = {
  XDG_CONFIG_HOME: join(data, "config"),
  MLSYS_SERVER: undefined,
  MLSYS_TOKEN: undefined,
};

beforeAll(async () => {
  tried = await tryService(join(data, "service"));
  token = tried.enrol("ann", { name: "Ann Lee" });
  file = handIn(folder, await solved());
});
afterAll(async () => tried?.running.close());

const handedIn = () => tried.running.service.submissions.of("ann");
const run = (...args: string[]) => command(folder, args, env);

describe("the command line", () => {
  it("remembers a token for its server, for this user alone, and none that the server does not know", async () => {
    expect(() => accountFor({}, env)).toThrow(/no server is known/);
    const login = ["login", "--server", tried.address, "--token"];
    expect(await run(...login, "guess")).toMatchObject({
      code: 2,
      err: expect.stringMatching(/This token is not known/),
    });
    expect(await run(...login, token)).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^Ann Lee: remembered in/),
    });
    const path = join(data, "config", "mlsys", "service.json");
    if (process.platform !== "win32") expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(accountFor({}, env)).toEqual({ server: tried.address, token });
    // It goes to no other server.
    const elsewhere = { server: "http://127.0.0.1:9" };
    expect(() => accountFor(elsewhere, env)).toThrow(/no token for http:\/\/127\.0\.0\.1:9/);
    writeFileSync(path, "{");
    expect(() => accountFor({}, env)).toThrow(/service\.json is damaged: delete it and log in again/);
    remember({ server: `${tried.address}/`, token }, { ...env, XDG_CONFIG_HOME: join(data, "fresh") });
    rmSync(path);
    remember({ server: tried.address, token }, env);
  }, 60_000);

  it("shows what is sent, the visible tests, a receipt of these very bytes, and the result", async () => {
    const { code, out, err } = await run("submit", "mini.ipynb", "--yes");
    expect(code, err).toBe(0);
    const sha256 = createHash("sha256").update(readFileSync(file)).digest("hex");
    expect(out).toMatch(/^Small graphs \(mini\)\n {2}mini\.ipynb, \d+ bytes, saved .* ago\n/);
    expect(out).toContain(`as Ann Lee`);
    expect(out).toMatch(/Order the nodes: answered, \d+ lines \(topo-answer\)/);
    expect(out).toMatch(/Visible tests: 4 of 4 points/);
    const [latest] = handedIn();
    expect(latest.sha256).toBe(sha256);
    expect(out).toContain(`Receipt ${latest.id}\n`);
    expect(out).toContain(`SHA-256  ${sha256}`);
    expect(out).toContain(`${tried.address}/submissions/${latest.id}`);
    expect(out).toMatch(/7 of 12 points\n$/);
  }, 60_000);

  it("sends nothing that it is not told to send", async () => {
    const before = handedIn().length;
    expect(await run("submit", "mini.ipynb", "--no-check")).toMatchObject({
      code: 2,
      err: expect.stringMatching(/nobody can be asked here: add --yes/),
    });
    const account = { server: tried.address, token };
    const silent = { preview() {}, checks() {}, receipt() {}, progress() {}, done() {} };
    const attempt = (more: Partial<SubmitOptions>) =>
      submit({ file, account, check: false, wait: false, agree: () => true, ...more }, silent);
    expect(await attempt({ agree: () => false })).toBe(false);
    await expect(attempt({ expected: "0" })).rejects.toThrow(/mini\.ipynb has changed since it was shown/);
    const other = join(folder, "other.ipynb");
    writeFileSync(other, (await notebookText()).replace('"assignment": "mini"', '"assignment": "maxi"'));
    await expect(attempt({ file: other })).rejects.toThrow(/has no assignment "maxi", only mini/);
    await expect(attempt({ file: join(folder, "nothing.ipynb") })).rejects.toThrow(/there is no such file/);
    await expect(attempt({ account: { server: "ftp://x", token } })).rejects.toThrow(/expected http:/);
    const blown = JSON.stringify({ ...JSON.parse(await notebookText()), padding: "x".repeat(1024 * 1024) });
    writeFileSync(other, blown);
    await expect(attempt({ file: other })).rejects.toThrow(/larger than 1 MiB: clear its outputs/);
    expect(handedIn()).toHaveLength(before);
  }, 60_000);

  it("warns of answers that nobody touched and of a file that was saved long ago", async () => {
    const path = handIn(folder, await released(), "blank.ipynb");
    const old = Date.now() / 1000 - 3 * 3600;
    utimesSync(path, old, old);
    const { answers, warnings } = await previewOf(path);
    expect(answers.map(({ state }) => state)).toEqual(Array(5).fill("untouched"));
    expect(warnings).toEqual([
      expect.stringMatching(/^5 of 5 answers are as they were given out/),
      expect.stringMatching(/^the file was saved 3 h ago/),
    ]);
    expect((await previewOf(file)).warnings).toEqual([]);
  });

  it("hands in once over a service that is away for a moment", async () => {
    const place = join(data, "away");
    const first = await tryService(place);
    const client = new ServiceClient(first.address, first.enrol("bob"));
    const port = Number(new URL(first.address).port);
    await first.running.close();
    const sending = client.send(readFileSync(file), "mini.ipynb");
    await new Promise((resolve) => setTimeout(resolve, 600));
    const second = await tryService(place);
    await second.running.close();
    const third = await tryService(place, { port });
    const { receipt } = await sending;
    expect(await client.follow(receipt.id, () => {})).toMatchObject({ state: "done", score: 7 });
    expect(third.running.service.submissions.of("bob")).toHaveLength(1);
    await third.running.close();
  }, 30_000);
});

describe("%submit in a notebook", () => {
  let kernel: KernelProcess;
  let client: KernelClient;
  beforeAll(async () => {
    const { argv, env: own } = kernelSpec();
    const variables = {
      ...env,
      ...own,
      MLSYS_SERVER: tried.address,
      MLSYS_TOKEN: token,
      JPY_SESSION_NAME: file,
    };
    kernel = await launchKernel({ argv }, { cwd: folder, env: variables as Record<string, string> });
    client = await KernelClient.connect(kernel.connection);
  });
  afterAll(async () => {
    await client?.shutdown();
    await kernel?.kill();
  });
  const shown = ({ outputs }: ExecuteResult, mime: string) =>
    outputs.flatMap(({ content }) => (content.data as Record<string, string> | undefined)?.[mime] ?? []);

  it("shows, checks, asks, and hands in the notebook that it runs in", async () => {
    const before = handedIn().length;
    const questions: string[] = [];
    const answer = (reply: string) => ({
      input: (question: string) => {
        questions.push(question);
        return reply;
      },
    });
    const declined = await client.execute("%submit", answer("n"));
    expect(declined.reply.status).toBe("ok");
    expect(declined.stdout).toBe("Nothing was sent.\n");
    expect(handedIn()).toHaveLength(before);

    const sent = await client.execute("%submit --no-check", answer("y"));
    expect(questions).toEqual(["Hand it in? [y/N] ", "Hand it in? [y/N] "]);
    expect(sent.reply.status, sent.stderr).toBe("ok");
    const [latest, ...rest] = handedIn();
    expect(rest).toHaveLength(before);
    const html = [...shown(declined, "text/html"), ...shown(sent, "text/html")];
    expect(html).toEqual([
      expect.stringMatching(/<strong>Small graphs<\/strong>.*<code>topo-answer<\/code>.*✓/s),
      expect.stringMatching(/Visible tests: 4 of 4 pass/),
      // The second time it shows it anew, and not again when it sends.
      expect.stringMatching(/<strong>Small graphs<\/strong>/),
      expect.stringMatching(new RegExp(`<strong>Receipt ${latest.id}</strong>`)),
      expect.stringMatching(/<strong>7 of 12 points<\/strong>/),
    ]);
    expect(html.join("")).not.toContain("<script");
    expect(html.join("")).not.toContain("\u001b");
    expect(shown(sent, "text/plain").join("\n")).toContain(`Receipt ${latest.id}`);
  }, 90_000);

  it("asks nobody where nobody can be asked, and goes on with --yes", async () => {
    const before = handedIn().length;
    expect((await client.execute("%submit --no-check")).reply).toMatchObject({
      ename: "UsageError",
      evalue: expect.stringMatching(/asks before it sends, and here nobody can be asked: add --yes/),
    });
    expect(handedIn()).toHaveLength(before);
    const quick = await client.execute(`%submit "mini.ipynb" --yes --no-check --no-wait`);
    expect(quick.reply.status, quick.stderr).toBe("ok");
    expect(handedIn()).toHaveLength(before + 1);
  }, 60_000);

  it("warns when an answer was run with another text than the saved file has", async () => {
    const saved = cellOf(await solved(), "softmax-answer").source;
    await client.execute(`// @ts-nocheck\n${saved}`);
    const look = () => client.execute("%submit --look --no-check");
    expect((await look()).stderr).toMatch(
      /Last run with another text than the saved file has: softmax\. Save/,
    );
    await client.execute(saved);
    expect((await look()).stderr).toBe("");
  }, 60_000);

  it("gives the service's and the file's troubles in words, as an error of the cell", async () => {
    writeFileSync(join(folder, "broken.ipynb"), formatNotebook(await solved()).slice(0, 500));
    const broken = await client.execute("%submit broken.ipynb --yes");
    expect(broken.reply).toMatchObject({
      ename: "CommandError",
      evalue: expect.stringMatching(/Nothing was handed in/),
    });
    expect(broken.stderr).toMatch(/broken\.ipynb: is not JSON/);
    const wrong = await client.execute("%submit --yes --token wrong");
    expect(wrong.stderr).toMatch(/This token is not known/);
  }, 60_000);
});
