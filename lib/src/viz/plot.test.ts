import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import { tensor, train, Variable, viz } from "../index.js";
import { displaySymbol, escapeHtml } from "./bundle.js";

const PLOTLY = "application/vnd.plotly.v1+json";

interface Trace {
  readonly type: string;
  readonly name?: string;
  readonly x?: unknown[];
  readonly y?: unknown[];
  readonly z?: unknown[][];
  readonly base?: number[];
}

interface Axis {
  readonly type?: string;
  readonly categoryarray?: string[];
}

/** What a notebook gets of a figure, after JSON. */
function shown(figure: { [displaySymbol](): Record<string, unknown> }) {
  const bundle = JSON.parse(JSON.stringify(figure[displaySymbol]())) as Record<string, unknown>;
  const plot = bundle[PLOTLY] as {
    data: Trace[];
    layout: Record<string, unknown> & { xaxis: Axis; yaxis: Axis; annotations?: { text: string }[] };
  };
  return { text: bundle["text/plain"] as string, ...plot };
}

const spans = [
  { lane: "cpu", name: "load", start: 100, end: 110 },
  { lane: "0", name: "matmul<1>", start: 105, end: 125 },
  { lane: "0", name: "load", start: 125, end: 126 },
];

const FIGURES: Record<string, () => { [displaySymbol](): Record<string, unknown> }> = {
  line: () =>
    viz.line({ a: [1, 2], b: new Float32Array([3, 4]) }, { title: "T", xLabel: "x", logY: true, width: 300 }),
  scatter: () => viz.scatter([1, 2], tensor([3, 4]), { name: "points" }),
  bar: () => viz.bar({ one: 1, two: 2 }),
  "grouped bars": () => viz.bar({ g: { one: 1 }, h: { one: 2 } }),
  heatmap: () => viz.heatmap(tensor([[1, 2], [3, 4]])), // biome-ignore format: a matrix
  histogram: () => viz.histogram([1, 2, 2], { bins: 5 }),
  imageGrid: () => viz.imageGrid(tensor([1, 2, 3, 4, 5, 6, 7, 8]).reshape([2, 2, 2]), { captions: ["a"] }),
  gantt: () => viz.gantt(spans, { title: "work" }),
  "gantt of nothing": () => viz.gantt([]),
  history: () => {
    const history = new train.History(["accuracy"]);
    for (const loss of [3, 2, 1]) history.addStep(loss);
    history.addEpoch({ accuracy: 0.5 });
    return history;
  },
};

describe("figures", () => {
  it.each(Object.entries(FIGURES))("%s: a Plotly figure as JSON, and a text", (_, make) => {
    const { text, data, layout } = shown(make());
    expect(text).toMatch(/^Figure\(/);
    expect(Array.isArray(data)).toBe(true);
    for (const trace of data) expect(["scatter", "bar", "heatmap", "histogram"]).toContain(trace.type);
    expect(layout).toMatchObject({ xaxis: expect.anything(), yaxis: expect.anything() });
  });

  it("draw arrays, typed arrays, tensors and variables alike", () => {
    const wanted = shown(viz.line({ a: [1, 2, 3] })).data;
    for (const series of [
      Float64Array.of(1, 2, 3),
      Uint8Array.of(1, 2, 3),
      BigInt64Array.of(1n, 2n, 3n),
      tensor([1, 2, 3]),
      tensor([1, 2, 3], { dtype: "int32" }),
      new Variable([1, 2, 3]),
    ])
      expect(shown(viz.line({ a: series })).data).toEqual(wanted);
    expect(wanted[0]).toMatchObject({ name: "a", x: [0, 1, 2], y: [1, 2, 3] });
    const matrix = [[1, 2], [3, 4]]; // biome-ignore format: a matrix
    const z = shown(viz.heatmap(matrix)).data[0].z;
    expect(z).toEqual(matrix);
    expect(shown(viz.heatmap([Float32Array.of(1, 2), tensor([3, 4])])).data[0].z).toEqual(matrix);
    expect(shown(viz.heatmap(tensor([[true, false]]))).data[0].z).toEqual([[1, 0]]);
  });

  it("leave gaps where there is no number, and stay JSON", () => {
    fc.assert(
      fc.property(fc.array(fc.double(), { maxLength: 8 }), (values) => {
        const { data } = shown(viz.line({ v: values }));
        expect(data[0].y).toEqual(values.map((v) => (Number.isFinite(v) ? v + 0 : null)));
      }),
    );
    const odd = [Number.NaN, Number.POSITIVE_INFINITY, null, 1];
    expect(shown(viz.scatter([0, 1, 2, 3], odd)).data[0].y).toEqual([null, null, null, 1]);
    expect(shown(viz.heatmap([odd])).data[0].z).toEqual([[null, null, null, 1]]);
    expect(shown(viz.bar({ a: Number.NaN, b: 2 })).data[0].y).toEqual([null, 2]);
    const image = tensor([Number.NaN, 2, 4, Number.POSITIVE_INFINITY, 0, -1]).reshape([1, 3, 2]);
    const z = shown(viz.imageGrid(image)).data[0].z as unknown as { bdata: string; shape: string };
    expect(z.shape).toBe("6, 5"); // with the gap
    const pixels = [...Buffer.from(z.bdata, "base64")];
    expect([0, 1, 2].map((row) => pixels.slice(5 * row, 5 * row + 2))).toEqual([
      [0, 128],
      [255, 0],
      [1, 1],
    ]);
    const history = new train.History();
    history.addStep(Number.POSITIVE_INFINITY);
    expect(shown(history).data[0].y).toEqual([null]);
  });

  it("show names as they are: no tags, no numbers or dates made of them", () => {
    const named = shown(viz.line({ "a<b>c</b> & d": [1] }));
    expect(named.data[0].name).toBe("a&#60;b>c&#60;/b> &#38; d");
    expect(named.text).toBe("Figure(a<b>c</b> & d)");
    const bars = shown(viz.bar({ "8": 1, "16": 2, "2024-01-01": 3, "<i>": 4 }));
    expect(bars.layout.xaxis).toMatchObject({ type: "category", automargin: true });
    expect(bars.data[0].x).toEqual(["8", "16", "2024-01-01", "&#60;i>"]);
    const work = shown(viz.gantt(spans));
    expect(work.layout.yaxis).toMatchObject({ type: "category", categoryarray: ["0", "cpu"] });
    expect(work.data[1].name).toBe("matmul&#60;1>");
    const grid = shown(viz.imageGrid(tensor([[[1]]]), { captions: ["<7>"] }));
    expect(grid.layout.annotations?.[0].text).toBe("&#60;7>");
  });

  it("put grouped bars side by side", () => {
    const { data, layout } = shown(viz.bar({ eager: { a: 1, b: 2 }, static: { a: 3, b: 4 } }));
    expect(data.map(({ name, x, y }) => [name, x, y])).toEqual([
      ["eager", ["a", "b"], [1, 2]],
      ["static", ["a", "b"], [3, 4]],
    ]);
    expect(layout).toMatchObject({ barmode: "group", showlegend: true });
    expect(shown(viz.bar({})).data[0].x).toEqual([]);
  });

  it("name what does not fit", () => {
    expect(() => viz.line({ a: [1, 2] }, { x: [1] })).toThrow(
      "line: a: x has 1 values and y has 2; one each per point",
    );
    expect(() => viz.line({ a: [1, "2" as unknown as number] })).toThrow(
      'line: a[1]: numbers are plotted, got "2"',
    );
    expect(() => viz.line({ a: tensor([[1]]) })).toThrow(
      /line: a: a tensor with one axis .* float32\(1, 1\)/,
    );
    expect(() => viz.scatter([1], [1, 2])).toThrow(/scatter: x has 1 values and y has 2/);
    expect(() => viz.heatmap([[1, 2], [3]])).toThrow("heatmap: row 1 has 1 values, row 0 has 2");
    expect(() => viz.heatmap(tensor([1]))).toThrow(/two axes is drawn, got float32\(1,\)/);
    expect(() => viz.bar({ a: 1, b: { c: 2 } } as unknown as Record<string, number>)).toThrow(
      /both were given/,
    );
    expect(() => viz.histogram([1], { bins: 0 })).toThrow(/bins is a whole number from 1, got 0/);
    expect(() => viz.imageGrid(tensor([[1]]))).toThrow(/\(n, height, width\) are drawn, got float32\(1, 1\)/);
    expect(() => viz.imageGrid(tensor([[[1]]]), { captions: ["a", "b"] })).toThrow(/2 captions for 1 images/);
    expect(() => viz.imageGrid(tensor([[[1]]]), { columns: 0 })).toThrow(/columns/);
    expect(() => viz.gantt([{ lane: "l", name: "n", start: 2, end: 1 }])).toThrow(
      /gantt: n on l starts at 2 and ends at 1/,
    );
    expect(() => viz.utilization([{ lane: "l", name: "n", start: Number.NaN, end: 1 }])).toThrow(
      /utilization/,
    );
  });
});

describe("timelines", () => {
  it("start at 0, a row per lane from the top", () => {
    const { data } = shown(viz.gantt(spans));
    expect(data.map(({ name, y, x, base }) => ({ name, y, x, base }))).toEqual([
      { name: "load", y: ["cpu", "0"], x: [10, 1], base: [0, 25] },
      { name: "matmul&#60;1>", y: ["0"], x: [20], base: [5] },
    ]);
  });

  it("tell how busy each lane is; overlapping work counts once", () => {
    expect(viz.utilization(spans)).toEqual({ cpu: 10 / 26, "0": 21 / 26 });
    const nested = [
      { lane: "a", name: "whole", start: 0, end: 10 },
      { lane: "a", name: "part", start: 2, end: 4 },
      { lane: "a", name: "late", start: 9, end: 15 },
      { lane: "b", name: "end", start: 19, end: 20 },
    ];
    expect(viz.utilization(nested)).toEqual({ a: 0.75, b: 0.05 });
    expect(viz.utilization([])).toEqual({});
    expect(viz.utilization([{ lane: "a", name: "", start: 1, end: 1 }])).toEqual({ a: 0 });
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            lane: fc.constantFrom("a", "b"),
            name: fc.constant(""),
            start: fc.integer({ min: 0, max: 20 }),
            length: fc.integer({ min: 0, max: 10 }),
          }),
        ),
        (list) => {
          const found = list.map(({ lane, name, start, length }) => ({
            lane,
            name,
            start,
            end: start + length,
          }));
          const [from, to] = [Math.min(...found.map((s) => s.start)), Math.max(...found.map((s) => s.end))];
          for (const [lane, part] of Object.entries(viz.utilization(found))) {
            let busy = 0; // second by second
            for (let t = from; t < to; t++)
              if (found.some((s) => s.lane === lane && s.start <= t && t < s.end)) busy++;
            expect(part).toBeCloseTo(to > from ? busy / (to - from) : 0, 12);
          }
        },
      ),
    );
  });
});

describe("progress bars", () => {
  const publish = Symbol.for("Jupyter.publish");
  afterEach(() => {
    delete (globalThis as Record<symbol, unknown>)[publish];
    vi.restoreAllMocks();
  });

  it("publish one output and replace it; labels and notes are text, not HTML", () => {
    const seen: [Record<string, string>, { displayId: string; update: boolean }][] = [];
    (globalThis as Record<symbol, unknown>)[publish] = (...args: (typeof seen)[0]) => seen.push(args);
    const bar = new viz.ProgressBar(4, { label: "<b>load</b>", interval: 0 });
    for (let i = 1; i <= 4; i++) bar.update(i, `file "${i}"`);
    bar.finish();
    expect(seen).toHaveLength(5);
    expect(new Set(seen.map(([, { displayId }]) => displayId)).size).toBe(1);
    expect(seen.map(([, { update }]) => update)).toEqual([false, true, true, true, true]);
    expect(seen[0][0]["text/plain"]).toMatch(/^<b>load<\/b> · 1\/4 · 0 s, \d+ s left · file "1"$/);
    expect(seen[0][0]["text/html"]).toContain("&#60;b&#62;load");
    expect(seen[0][0]["text/html"]).not.toContain("<b>");
    expect(seen[1][0]["text/html"]).toContain("width:50.0%");
    expect(escapeHtml(`<a b="c" d='e'>&`)).not.toMatch(/[<>"']/);
  });

  it("count where the total is not known", () => {
    const seen: Record<string, string>[] = [];
    (globalThis as Record<symbol, unknown>)[publish] = (bundle: Record<string, string>) => seen.push(bundle);
    const bar = new viz.ProgressBar(0, { interval: 0 });
    bar.update(7);
    expect(seen[0]["text/plain"]).toBe("7 · 0 s");
    expect(seen[0]["text/html"]).toContain("width:0.0%");
  });

  it("draw no more often than they should", () => {
    const seen: unknown[] = [];
    (globalThis as Record<symbol, unknown>)[publish] = (bundle: unknown) => seen.push(bundle);
    const bar = new viz.ProgressBar(1e6, { interval: 1e9 });
    for (let i = 0; i < 1000; i++) bar.update(i);
    expect(seen.length).toBeLessThanOrEqual(1);
  });
});
