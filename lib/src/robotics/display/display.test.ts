import { afterEach, describe, expect, it } from "vitest";
import { displaySymbol, type MimeBundle } from "../../core/display.js";
import { decodeImage } from "../../data/vision/codec.js";
import { room } from "../simulate/generate.js";
import { fromText, occupancyOf } from "../simulate/occupancy.js";
import { Simulation } from "../simulate/simulation.js";
import { CameraView } from "./camera-view.js";
import { ellipseOf } from "./layers.js";
import { LiveView } from "./live-view.js";
import { png } from "./png.js";
import { WorldView } from "./world-view.js";

const PUBLISH = Symbol.for("Jupyter.publish");
const hooks = globalThis as Record<symbol, unknown>;

interface Shown {
  readonly bundle: MimeBundle;
  readonly displayId: string;
  readonly update: boolean;
}

function notebook(): Shown[] {
  const shown: Shown[] = [];
  hooks[PUBLISH] = (bundle: MimeBundle, options: { displayId: string; update: boolean }) =>
    shown.push({ bundle, ...options });
  return shown;
}

afterEach(() => {
  delete hooks[PUBLISH];
});

class Counter extends LiveView {
  count = 0;
  bundle(): MimeBundle {
    return { "text/plain": String(this.count) };
  }
}

class Slow extends LiveView {
  readonly waiting: ((bundle: MimeBundle) => void)[] = [];
  bundle(): Promise<MimeBundle> {
    return new Promise((resolve) => this.waiting.push(resolve));
  }
}

const texts = (shown: readonly Shown[]): unknown[] => shown.map(({ bundle }) => bundle["text/plain"]);

describe("a display that changes", () => {
  it("is a bundle outside of notebooks", () => {
    const view = new Counter();
    view.update();
    expect(view[displaySymbol]()).toEqual({ "text/plain": "0" });
  });

  it("is shown once and replaced in place", () => {
    const shown = notebook();
    const view = new Counter({ interval: 0 });
    expect(view[displaySymbol]()).toBeNull();
    for (view.count = 1; view.count < 3; view.count++) view.update();
    view.stop();
    view.update();
    view.stop();
    expect(texts(shown)).toEqual(["0", "1", "2", "3"]);
    expect(shown.map(({ update }) => update)).toEqual([false, true, true, true]);
    expect(new Set(shown.map(({ displayId }) => displayId)).size).toBe(1);
    expect(new Counter().stopped).toBe(false);
    expect(view.stopped).toBe(true);
  });

  it("is an output of its own when it is updated before it is shown", () => {
    const shown = notebook();
    const view = new Counter({ interval: 0 });
    view.update();
    view.update();
    expect(shown.map(({ update }) => update)).toEqual([false, true]);
  });

  it("draws at most so often, and the last state", async () => {
    const shown = notebook();
    const view = new Counter({ interval: 30 });
    for (view.count = 0; view.count < 1000; view.count++) view.update();
    expect(shown.length).toBeLessThan(1000); // a loop of microseconds a turn
    while (texts(shown).at(-1) !== "1000") await new Promise((resolve) => setTimeout(resolve, 5));
    const before = shown.length;
    const still = new Counter({ interval: 1e9 });
    for (still.count = 0; still.count < 10; still.count++) still.update();
    expect(shown.length).toBe(before + 1);
    still.stop();
    expect(texts(shown).at(-1)).toBe("10");
  });

  it("does not draw again while a drawing is on its way, and then once", async () => {
    const shown = notebook();
    const view = new Slow({ interval: 0 });
    view.update();
    view.update();
    view.update();
    expect(view.waiting).toHaveLength(1);
    view.waiting[0]({ "text/plain": "first" });
    while (view.waiting.length < 2) await new Promise((resolve) => setTimeout(resolve, 1));
    view.waiting[1]({ "text/plain": "second" });
    while (shown.length < 2) await new Promise((resolve) => setTimeout(resolve, 1));
    expect(texts(shown)).toEqual(["first", "second"]);
    expect(view.waiting).toHaveLength(2);
    expect(() => new Counter({ interval: -1 })).toThrow("a number of milliseconds from 0, got -1");
  });

  it("is one output when it changes before it is there", async () => {
    const shown = notebook();
    const view = new Slow({ interval: 0 });
    const displayed = view[displaySymbol]();
    view.update();
    view.waiting[1]({ "text/plain": "too early" });
    await new Promise((resolve) => setImmediate(resolve));
    expect(shown).toEqual([]);
    view.waiting[0]({ "text/plain": "first" });
    expect(await displayed).toBeNull();
    expect(view.waiting).toHaveLength(3); // drawn again, as something was missed
    view.waiting[2]({ "text/plain": "second" });
    while (shown.length < 2) await new Promise((resolve) => setImmediate(resolve));
    expect(shown.map(({ update }) => update)).toEqual([false, true]);
    expect(texts(shown)).toEqual(["first", "second"]);
  });
});

describe("png", () => {
  it.each([1, 3, 4] as const)("of %d channels is read back by libvips as it was", async (channels) => {
    const pixels = Uint8Array.from({ length: 7 * 5 * channels }, (_, i) => (i * 37 + i * i) & 255);
    const image = await decodeImage(png(pixels, 7, 5, channels), { channels });
    expect(image.shape).toEqual([5, 7, channels]);
    expect([...image.data]).toEqual([...pixels]);
  });

  it("refuses pixels that do not fill it", () => {
    expect(() => png(new Uint8Array(5), 2, 2, 1)).toThrow("png: 5 bytes for 2 × 2 pixels of 1");
  });
});

describe("the world from above", () => {
  const simulation = (): Simulation =>
    new Simulation(room({ things: 4, people: 1, landmarks: 3, seed: 2 }), {
      robots: [{ pose: { x: 4, y: 3, theta: 0 } }],
    });

  it("shows what it is given, each layer in the picture", () => {
    const view = new WorldView(simulation(), { width: 320, title: "a <room>" });
    const plain = view.svg();
    expect(plain).toContain("a &#60;room&#62; · 0.0 s");
    expect(plain).not.toContain("<ellipse");
    view.update({
      goal: { x: 1, y: 1 },
      path: [
        { x: 4, y: 3 },
        { x: 1, y: 1 },
      ],
      particles: [{ x: 4, y: 3 }],
      estimates: [{ x: 4, y: 3, theta: 0.2, covariance: [0.04, 0.01, 0.02], label: "EKF" }],
      edges: [
        [
          { x: 1, y: 1 },
          { x: 2, y: 2 },
        ],
      ],
      map: occupancyOf(fromText("###\n# #\n###")),
    });
    const svg = view.svg();
    for (const part of ["<ellipse", "stroke-dasharray", "EKF", "<image", 'href="data:image/png;base64,'])
      expect(svg).toContain(part);
    // a layer stays until another takes its place
    view.update({ estimates: [] });
    expect(view.svg()).not.toContain("<ellipse");
    expect(view.svg()).toContain("stroke-dasharray");
    expect(view.bundle()["text/plain"]).toBe("World(8.0 m × 6.0 m, 6 bodies; robot0 at (4.00, 3.00, 0.00))");
  });

  it("draws a metre as long to the right as up, y upwards", () => {
    const world = fromText("####\n#  #\n####", { cell: 1 });
    const view = new WorldView(world, { width: 424 });
    view.update({ goal: { x: 2, y: 1.5 } });
    const [, cx, cy] = /<circle cx="([\d.]+)" cy="([\d.]+)" r="7"/.exec(view.svg()) ?? [];
    expect(Number(cx)).toBeCloseTo(212, 0);
    expect(Number(cy)).toBeCloseTo(162, 0);
    view.update({ goal: { x: 3, y: 2.5 } });
    const [, right, up] = /<circle cx="([\d.]+)" cy="([\d.]+)" r="7"/.exec(view.svg()) ?? [];
    expect(Number(right) - Number(cx)).toBeCloseTo(100, 0);
    expect(Number(cy) - Number(up)).toBeCloseTo(100, 0);
  });

  it("keeps trails short, however long the way", () => {
    const driven = simulation();
    const view = new WorldView(driven, { lidar: false });
    driven.robot.command({ linear: 0.4, angular: 1 });
    for (let i = 0; i < 5000; i++) {
      driven.step();
      view.update();
    }
    expect(view.svg().length).toBeLessThan(20_000);
  });

  it("draws the ellipse of a covariance along its axes", () => {
    const chi = 5.991464547107979;
    const { major, minor, angle } = ellipseOf([4, 0, 1]);
    expect([major, minor, angle]).toEqual([2 * Math.sqrt(chi), Math.sqrt(chi), 0]);
    const turned = ellipseOf([2.5, 1.5, 2.5]); // the same, turned by 45°
    expect(turned.major).toBeCloseTo(major, 12);
    expect(turned.minor).toBeCloseTo(minor, 12);
    expect(turned.angle).toBeCloseTo(Math.PI / 4, 12);
  });
});

describe("the camera's view", () => {
  it("shows picture, depth and labels, and boxes with names", async () => {
    const { robot } = new Simulation(room({ things: 6, seed: 1 }), {
      robots: [{ pose: { x: 4, y: 3, theta: 0 }, camera: { width: 40, height: 30 } }],
    });
    const view = new CameraView(robot, { layers: ["image", "depth", "semantic", "instance"] });
    view.update({ boxes: [{ x0: 1, y0: 2, x1: 11, y1: 12, text: "ball & box" }] });
    const svg = view.svg();
    expect(svg).toContain("ball &#38; box");
    expect(svg).toContain('<rect x="2" y="4" width="20" height="20"');
    const pictures = [...svg.matchAll(/base64,([^"]+)"/g)].map(([, data]) => Buffer.from(data, "base64"));
    expect(pictures).toHaveLength(4);
    const image = await decodeImage(pictures[0]);
    expect([...image.data]).toEqual([...robot.photograph().image.data]);
    expect(() => new CameraView(robot, { scale: 0 })).toThrow("the scale is a number from 0 to 16, got 0");
  });
});
