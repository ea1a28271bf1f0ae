import { afterAll, beforeAll, describe, expect, it } from "vitest";
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

const PNG = "89504e470d0a1a0a";
it.each([
  ["png", PNG],
  ["jpeg", "ffd8ffe0"],
  ["gif", "474946383961"],
  ["webp", "524946460c00000057454250565038"],
])("shows %s bytes as the image, as a value and by display.image", async (type, hex) => {
  const bytes = `Uint8Array.from(Buffer.from("${hex}", "hex"))`;
  const data = Buffer.from(hex, "hex").toString("base64");
  for (const code of [bytes, `display(${bytes})`, `display.image(${bytes})`, `display.${type}(${bytes})`])
    expect((await bundles(code))[0]![1]).toMatchObject({ [`image/${type}`]: data });
  expect((await kernel.client.execute("display.image(new Uint8Array(4))")).reply.ename).toBe("TypeError");
  expect(await bundles("new Uint8Array(3)")).toEqual([
    ["execute_result", { "text/plain": "Uint8Array(3) [ 0, 0, 0 ]" }],
  ]);
});

it("shows Vega-Lite charts by their schema", async () => {
  const spec = `{ $schema: "https://vega.github.io/schema/vega-lite/v5.json", mark: "bar", title: "</script>", data: { values: [{ a: 1 }] } }`;
  for (const code of [`(${spec})`, `display.vegalite(${spec})`]) {
    const [[, data]] = (await bundles(code)) as [[string, Record<string, string>]];
    expect(data["application/vnd.vegalite.v5+json"]).toMatchObject({ mark: "bar" });
    expect(data).not.toHaveProperty("text/html");
    expect(data["text/plain"]).toBe('[Vega-Lite chart "</script>": bar]');
  }
});

it("shows an error that is a value with its lines, as if thrown", async () => {
  const result = await kernel.client.execute(
    'const first = 1;\nnew RangeError("kept", { cause: new Error("why") })',
  );
  expect(text(result)).toMatch(
    /^RangeError: kept\n\nCell \[\d+\], line 2:\n[\s\S]*\^[\s\S]*Caused by:\nError: why/,
  );
});

describe("an inspector's tree", () => {
  const tree = async (code: string) => {
    const { result, reply } = await kernel.client.execute(code);
    expect(reply.status).toBe("ok");
    return String(result!["text/html"] ?? "");
  };

  it("shows what text leaves out, and small objects as text", async () => {
    expect(await tree("({ a: 1, b: { c: [1, 2] } })")).toBe("");
    const html = await tree("({ a: { b: { c: { d: { e: { f: { g: '<deep>' } } } } } } })");
    expect(html).toContain("&#60;deep&#62;");
    expect(html.match(/<details open>/g)).toHaveLength(7);
  });

  it("of maps, sets, classes, cycles and getters, and runs nothing of them", async () => {
    const html = await tree(`
      class Layer { inputs = new Map<string, object>([["x", { shape: [1, 2] }]]); tags = new Set(["a"]); self: unknown }
      const layer = Object.assign(new Layer(), { [Symbol("s")]: 1 }); layer.self = layer;
      let ran = 0;
      const holder = { layer, deep: { a: { b: { c: { d: { e: {} } } } } }, get costly() { ran++; return {} } };
      holder`);
    for (const part of [
      "Layer",
      "Map(1)",
      "&#39;x&#39; ⇒",
      "Set(1)",
      "[Circular]",
      "[Symbol(s)]",
      "(getter)",
      "Array(2)",
    ])
      expect(html).toContain(part);
    expect(text(await kernel.client.execute("ran"))).toBe("0");
  });

  it("is cut where it is large", async () => {
    const html = await tree("Array.from({ length: 500 }, (_, i) => [i, [i]])");
    expect(html).toContain("truncated: 400 more");
    const wide = await tree("Array.from({ length: 90 }, () => Array.from({ length: 90 }, () => ({ a: 1 })))");
    expect(wide).toContain("truncated: 1000 entries shown");
    expect(wide).not.toContain("<details open><summary><span");
    expect(wide.length).toBeLessThan(200_000);
  });

  it("by display.tree of anything", async () => {
    const [[, data]] = (await bundles("display.tree({ a: 1 })")) as [[string, Record<string, string>]];
    expect(data["text/html"]).toContain("<summary>Object</summary>");
    expect(data["text/plain"]).toBe("{ a: 1 }");
  });
});

it("shows a map of records as a table with its keys", async () => {
  const [[, data]] = (await bundles('new Map([["adam", { loss: 1 }], ["<sgd>", { loss: 2 }]])')) as [
    [string, Record<string, string>],
  ];
  expect(data["text/html"]).toContain(
    "<tr><th>adam</th><td>1</td></tr><tr><th>&#60;sgd&#62;</th><td>2</td></tr>",
  );
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

it("keeps what is shown in the order of the calls, however long each takes to draw", async () => {
  const drawn = (text: string, ms: number) =>
    `display({ [Symbol.for("Jupyter.display")]: () => new Promise((done) => setTimeout(() => done({ "text/plain": "${text}" }), ${ms})) })`;
  const shown = await bundles(
    `${drawn("slow", 60)}; ${drawn("quick", 1)}; display.markdown("at once"); const late = ${drawn("old", 5)}; late.update("new"); "result"`,
  );
  const texts = ["slow", "quick", "at once", "old", "'new'", "'result'"];
  expect(shown.map(([, data]) => (data as Record<string, string>)["text/plain"])).toEqual(texts);
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
  for (const [method, type] of [
    ["html", "text/html"],
    ["svg", "image/svg+xml"],
    ["markdown", "text/markdown"],
    ["latex", "text/latex"],
  ]) {
    const [[, data]] = (await bundles(`display.${method}("x".repeat(5_000_000))`)) as [
      [string, Record<string, string>],
    ];
    expect(data[type!]!.length).toBeLessThan(210_000);
    expect(data[type!]).toContain("truncated");
    if (method === "svg") expect(data[type!]).toMatch(/^<svg .*<\/svg>$/);
  }
  const columns = await kernel.client.execute(
    "[Object.fromEntries(Array.from({ length: 40 }, (_, i) => ['c' + i, 'y'.repeat(5_000)]))]",
  );
  expect(String(columns.result!["text/html"])).toContain("truncated: 30 of 40 columns shown");
  expect(String(columns.result!["text/html"]).length).toBeLessThan(50_000);
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
