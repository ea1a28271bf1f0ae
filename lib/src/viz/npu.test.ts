/** Drawings of accelerators: what stands in them is what the report says. */
import { describe, expect, it } from "vitest";
import { compiler, viz } from "../index.js";

const { npuConfig, measureTiling, searchTilings, predictTiling } = compiler.npu;
const config = npuConfig("teaching-4x4");
const size = { m: 16, n: 16, k: 16 };
const report = measureTiling(config, size, { m: 8, n: 8, k: 8, order: "mnk" }, { trace: true });

interface Trace {
  readonly name: string;
  readonly x: number[];
  readonly y: string[];
  readonly base: number[];
  readonly z: (number | null)[][];
  readonly text: string[][];
}
const traces = (f: viz.Figure) => f.data as unknown as Trace[];

describe("drawings of an accelerator", () => {
  it("the timeline has every instruction, and every wait", () => {
    const figure = viz.npuTimeline(report);
    const bars = traces(figure);
    const drawn = bars
      .filter(({ name }) => name !== "waits for a token")
      .reduce((n, { x }) => n + x.length, 0);
    expect(drawn).toBe(report.instructions);
    const waits = bars.find(({ name }) => name === "waits for a token") as Trace;
    const load = waits.x.filter((_, i) => waits.y[i] === "DMA in").reduce((sum, x) => sum + x, 0);
    expect(load).toBe(Object.values(report.units.load.waiting).reduce((sum, x) => sum + x, 0));
    expect(Math.max(...bars.flatMap(({ x, base }) => x.map((w, i) => base[i] + w)))).toBe(report.cycles);
    expect(String(figure)).toContain(`${report.cycles.toLocaleString("en")} cycles`);
    expect(() => viz.npuTimeline({ ...report, spans: [] })).toThrow("the report has no trace");
  });

  it("bars too thin to be seen are drawn as one", () => {
    const long = measureTiling(
      npuConfig("gemmini-16x16"),
      { m: 256, n: 256, k: 256 },
      { m: 16, n: 64, k: 64, order: "mnk" },
      { trace: true },
    );
    const bars = traces(viz.npuTimeline(long)).reduce((n, { x }) => n + x.length, 0);
    expect(bars).toBeLessThan(long.instructions);
  });

  it("the wave front has a picture for each cycle, with what meets where", () => {
    const pass = { a: [1, 2, 3, 4], b: [5, 6, 7, 8], m: 2, n: 2, k: 2 };
    const figure = viz.npuWavefront({ rows: 2, columns: 2, dataflow: "weight", type: "int8" }, pass);
    expect(traces(figure).map(({ text }) => text.flat().join("|"))).toEqual([
      "1 × 5|||",
      "3 × 5|1 × 6|2 × 7|",
      "|3 × 6|4 × 7|2 × 8",
      "|||4 × 8",
    ]);
    const long = { a: new Array(300).fill(1), b: [1], m: 300, n: 1, k: 1 };
    expect(() => viz.npuWavefront({ rows: 1, columns: 1, dataflow: "weight", type: "int8" }, long)).toThrow(
      "more than 200 cycles",
    );
  });

  it("no tiling is above the roof", () => {
    const found = searchTilings(config, size, { keep: 30, tries: 0 });
    const [roof, ...groups] = traces(viz.npuRoofline(config, found));
    expect(groups.reduce((n, { x }) => n + x.length, 0)).toBe(found.length);
    for (const { x, y } of groups)
      x.forEach((at, i) => {
        expect((y as unknown as number[])[i]).toBeLessThanOrEqual(Math.min(16, at * 8) + 1e-9);
      });
    expect(roof.y[1]).toBe(16);
    expect(() => viz.npuRoofline(config, [])).toThrow("no tiling to draw");
  });

  it("traffic, energy and sweep say what the model says", () => {
    const [read] = traces(viz.npuTraffic(report));
    expect(read.y).toEqual([
      report.bytes.dram.read,
      report.bytes.input.read,
      report.bytes.weight.read,
      report.bytes.acc.read,
    ]);
    const [energy] = traces(viz.npuEnergy(report));
    expect((energy.y as unknown as number[]).reduce((sum, x) => sum + x, 0)).toBeCloseTo(
      report.energy.total,
      12,
    );
    const [sweep] = traces(viz.npuSweep(config, size, { m: [4, 8, 64], n: [4, 8], k: 8 }));
    expect(sweep.z[0][1]).toBe(
      100 * predictTiling(config, size, { m: 4, n: 8, k: 8, order: "mnk" }).utilization,
    );
    expect(() => viz.npuSweep(config, { m: 400, n: 400, k: 400 }, { m: [400], n: [400] })).toThrow(
      "no tile of these sizes fits",
    );
  });
});
