import { afterAll, beforeAll, expect, it } from "vitest";
import { startKernel, type TestKernel, text } from "./kernel.js";

let kernel: TestKernel;
beforeAll(async () => {
  kernel = await startKernel();
});
afterAll(() => kernel.stop());

const bundles = async (code: string) =>
  (await kernel.client.execute(code)).outputs.map(({ type, content }) => [type, content.data ?? content]);

it.each([
  ["display(42)", { "text/plain": "42" }],
  ['display.html("<b>x</b>")', { "text/html": "<b>x</b>", "text/plain": "[text/html]" }],
  ['display.svg("<svg/>")', { "image/svg+xml": "<svg/>", "text/plain": "[image/svg+xml]" }],
  ['display.markdown("# x")', { "text/markdown": "# x", "text/plain": "# x" }],
  [
    "display.json({ a: [1] })",
    { "application/json": { a: [1] }, "text/plain": '{\n  "a": [\n    1\n  ]\n}' },
  ],
  ["display.png(new Uint8Array([1, 2, 3]))", { "image/png": "AQID", "text/plain": "[image/png]" }],
])("%s", async (code, data) => {
  expect(await bundles(code)).toEqual([["display_data", data]]);
});

it("asks an object for its own bundle, at once or by promise", async () => {
  const object = (body: string) => `({ [Symbol.for("Jupyter.display")]() { ${body} } })`;
  expect(await bundles(object('return { "text/html": "<i>me</i>", "text/plain": "me" }'))).toEqual([
    ["execute_result", { "text/html": "<i>me</i>", "text/plain": "me" }],
  ]);
  expect(await bundles(`display(${object('return Promise.resolve({ "text/plain": "later" })')})`)).toEqual([
    ["display_data", { "text/plain": "later" }],
  ]);
  expect(await bundles(object("return null"))).toEqual([]);
  const broken = await kernel.client.execute(object("return 5"));
  expect(broken.reply).toMatchObject({ status: "error", ename: "TypeError" });
  expect(String(broken.reply.evalue)).toContain("expected a MIME bundle");
});

it("shows an array of records as a table, escaped, beside its text", async () => {
  const [[, data]] = (await bundles('[{ a: 1, b: "<x>" }, { a: 2 }]')) as [[string, Record<string, string>]];
  expect(data["text/html"]).toContain("<th>a</th><th>b</th>");
  expect(data["text/html"]).toContain("&#60;x&#62;");
  expect(data["text/plain"]).toBe("[ { a: 1, b: '<x>' }, { a: 2 } ]");
});

it("gives Plotly figures an HTML form that no data can break out of", async () => {
  const [[, data]] = (await bundles(
    'display.plotly({ data: [{ y: [1, 2] }], layout: { title: { text: "</script>" } } })',
  )) as [[string, Record<string, string>]];
  expect(data["application/vnd.plotly.v1+json"]).toMatchObject({ data: [{ y: [1, 2] }] });
  expect(data["text/html"]!.match(/<\/script>/g)).toHaveLength(1);
  expect(data["text/plain"]).toBe('[Plotly figure "</script>": 1 trace]');
});

it("updates an output from another cell", async () => {
  await kernel.client.execute('display("one", { id: "out" })');
  const { outputs } = await kernel.client.execute('display.update("out", "two")');
  expect(outputs[0]).toMatchObject({
    type: "update_display_data",
    content: { data: { "text/plain": "'two'" }, transient: { display_id: "out" } },
  });
  const handle = await kernel.client.execute("const shown = display(1); shown.update(2); shown");
  const [first, second, ...rest] = handle.outputs;
  expect([first!.type, second!.type, rest.length]).toEqual(["display_data", "update_display_data", 0]);
  expect(first!.content.transient).toEqual(second!.content.transient);
});

it("clears output, and offers the library's two symbols", async () => {
  expect(await bundles("display.clear(true)")).toEqual([["clear_output", { wait: true }]]);
  const { outputs } = await kernel.client.execute(`
    const publish = (globalThis as any)[Symbol.for("Jupyter.publish")];
    publish({ "text/plain": "progress" }, { displayId: "bar" });
    publish({ "text/plain": "done" }, { displayId: "bar", update: true });
    (globalThis as any)[Symbol.for("Jupyter.clearOutput")]();`);
  expect(outputs.map(({ type }) => type)).toEqual(["display_data", "update_display_data", "clear_output"]);
});

it("cuts what is too long, and says so", async () => {
  const long = await kernel.client.execute('"x".repeat(1_000_000)');
  expect(String(text(long)).length).toBeLessThan(210_000);
  expect(String(text(long))).toMatch(/truncated|more characters/);
  const rows = await kernel.client.execute("Array.from({ length: 500 }, (_, i) => ({ i }))");
  expect(String(rows.result!["text/html"])).toContain("truncated: 100 of 500 rows shown");
});

it("serves tslab's display", async () => {
  const { outputs, reply } = await kernel.client.execute(`
    import * as tslab from "tslab";
    tslab.display.html("<p>hi</p>");
    const d = tslab.newDisplay(); d.text("1"); d.text("2");
    tslab.versions.typescript.length > 0`);
  expect(reply.status).toBe("ok");
  expect(outputs.map(({ type }) => type)).toEqual([
    "display_data",
    "display_data",
    "update_display_data",
    "execute_result",
  ]);
});
