/** What tslab's README and its example notebooks do, in cells of our own: `tslab`'s interface and its looser check. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startKernel, type TestKernel, text } from "./kernel.js";

const kernels: TestKernel[] = [];
async function session(): Promise<(code: string) => ReturnType<TestKernel["client"]["execute"]>> {
  const kernel = await startKernel();
  kernels.push(kernel);
  return (code) => kernel.client.execute(code);
}
afterAll(async () => {
  for (const kernel of kernels) await kernel.stop();
});

describe("display", () => {
  let run: Awaited<ReturnType<typeof session>>;
  beforeAll(async () => {
    run = await session();
    expect((await run('import * as tslab from "tslab";')).reply.status).toBe("ok");
  });

  it.each([
    ["html", "text/html"],
    ["javascript", "text/javascript"],
    ["markdown", "text/markdown"],
    ["latex", "text/latex"],
    ["svg", "image/svg+xml"],
    ["text", "text/plain"],
  ])("%s", async (method, type) => {
    const { outputs } = await run(`tslab.display.${method}("<b>words</b>")`);
    expect(outputs).toMatchObject([{ type: "display_data", content: { data: { [type]: "<b>words</b>" } } }]);
  });

  it.each([
    ["png", "image/png"],
    ["jpeg", "image/jpeg"],
    ["gif", "image/gif"],
    ["pdf", "application/pdf"],
  ])("%s, from bytes and from a Buffer", async (method, type) => {
    for (const bytes of ["new Uint8Array([1, 2, 3])", "Buffer.from([1, 2, 3])"]) {
      const { outputs } = await run(`tslab.display.${method}(${bytes})`);
      expect(outputs[0]!.content.data).toMatchObject({ [type]: "AQID" });
    }
  });

  it("raw, and a display that is replaced", async () => {
    const { outputs } = await run(`
      tslab.display.raw("application/json", JSON.stringify({ a: 1 }));
      const bar = tslab.newDisplay();
      for (const done of [1, 2, 3]) bar.text(\`\${done} of 3\`);`);
    expect(outputs.map(({ type }) => type)).toEqual([
      "display_data",
      "display_data",
      "update_display_data",
      "update_display_data",
    ]);
    const ids = outputs
      .slice(1)
      .map(({ content }) => (content.transient as { display_id: string }).display_id);
    expect(new Set(ids).size).toBe(1);
  });

  it("versions", async () => {
    const shown = text(await run("tslab.versions"));
    const { version } = JSON.parse(
      readFileSync(new URL("../../node_modules/typescript/package.json", import.meta.url), "utf8"),
    ) as { version: string };
    expect(shown).toBe(`{ tslab: '1.0.22', typescript: '${version}', node: '${process.version}' }`);
  });

  it("a promise is shown as it is, an awaited one by its value", async () => {
    await run("let wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));");
    expect(text(await run("wait(5);"))).toBe("Promise { <pending> }");
    expect(text(await run("const begun = Date.now(); await wait(20); Date.now() - begun >= 19"))).toBe(
      "true",
    );
  });
});

describe("the check", () => {
  it("is not strict from the cell that imports tslab on, until %reset", async () => {
    const run = await session();
    const loose = "const made = { inner: null };\nmade?.inner?.field ?? 'none'";
    expect((await run(loose)).reply.ename).toBe("TypeScriptError");
    expect(text(await run(`import * as tslab from "tslab";\n${loose}`))).toBe("'none'");
    expect(text(await run(loose))).toBe("'none'");
    expect((await run("const still: number = 'checked';")).reply.ename).toBe("TypeScriptError");
    expect((await run(`%reset\n${loose}`)).reply.ename).toBe("TypeScriptError");
  });

  it("is TypeScript's for JavaScript where a cell has no types, JSDoc's included", async () => {
    const run = await session();
    expect((await run('const tslab = require("tslab");\nconst fs = require("fs");')).reply.status).toBe("ok");
    const { outputs } = await run('tslab.display.html(fs.existsSync("/") ? "<i>here</i>" : "")');
    expect(outputs[0]!.content.data).toMatchObject({ "text/html": "<i>here</i>" });
    expect(
      text(await run("class Named {\n  constructor(name) { this.name = name; }\n}\nnew Named('Ada').name")),
    ).toBe("'Ada'");
    expect((await run("let count = 1;\ncount += ' more';")).reply.evalue).toContain(
      "not assignable to type 'number'",
    );
    expect(text(await run("/** @type {any} */\nlet loose = 1;\nloose += ' more';\nloose"))).toBe("'1 more'");
    expect((await run("new Named('x').nme")).reply.ename).toBe("TypeScriptError");
  });
});
