import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { displaySymbol } from "../bundle.js";
import { joinBuffers, splitBuffers } from "./buffers.js";
import type { Comm } from "./comm.js";
import * as widgets from "./index.js";

const COMMS = Symbol.for("Jupyter.comms");
const globals = globalThis as Record<symbol, unknown>;

afterEach(() => {
  delete globals[COMMS];
});

interface Sent {
  id: string;
  data: Record<string, unknown>;
  buffers: readonly Uint8Array[];
}

/** A kernel's comms, and the page's end of them. */
function fakeComms() {
  const sent: Sent[] = [];
  const listeners = new Map<string, (data: unknown, buffers: Uint8Array[]) => void>();
  const closed: string[] = [];
  const comm = (id: string): Comm => ({
    id,
    send: (data, _metadata, buffers = []) =>
      void sent.push({ id, data: data as Record<string, unknown>, buffers }),
    onMessage: (listener) => void listeners.set(id, listener),
    onClose: () => {},
    close: () => void closed.push(id),
  });
  globals[COMMS] = {
    registerTarget: () => {},
    open: (_target: string, data: unknown, { id, buffers }: { id: string; buffers: Uint8Array[] }) => {
      sent.push({ id, data: data as Record<string, unknown>, buffers });
      return comm(id);
    },
  };
  return {
    sent,
    closed,
    say: (id: string, data: object, buffers: Uint8Array[] = []) => listeners.get(id)!(data, buffers),
  };
}

it("options that are objects are called by their label", () => {
  const ring: { self?: unknown } = {};
  ring.self = ring;
  expect(String(widgets.dropdown({ description: "program", options: { ring } }))).toBe(
    'Dropdown("program": "ring")',
  );
  expect(String(widgets.dropdown({ options: ["sgd", "adam"], value: "adam" }))).toBe('Dropdown("adam")');
});

describe("without a kernel", () => {
  it("widgets are plain state, shown as text", () => {
    const slider = widgets.intSlider({ description: "depth", value: 3 });
    const seen: number[] = [];
    const stop = slider.observe((value) => seen.push(value));
    slider.value = 4;
    slider.value = 4;
    stop();
    slider.value = 5;
    expect(seen).toEqual([4]);
    expect(slider[displaySymbol]()).toEqual({ "text/plain": 'IntSlider("depth": 5)' });
  });

  it("interact calls its function with the values", async () => {
    const calls: unknown[] = [];
    const panel = widgets.interact((values) => void calls.push(values), {
      n: [0, 10],
      on: true,
      mode: ["a", "b"],
    });
    panel.controls.n.value = 7;
    panel.controls.mode.value = "b";
    expect(calls).toEqual([
      { n: 5, on: true, mode: "a" },
      { n: 7, on: true, mode: "a" },
      { n: 7, on: true, mode: "b" },
    ]);
    expect(() => widgets.interact(() => 0, { none: [] })).toThrow(/no control for "none"/);
  });

  it.each([
    [4, "IntSlider", -4, 12, 4],
    [-2, "IntSlider", -6, 2, -2],
    [0, "IntSlider", 0, 1, 0],
    [0.5, "FloatSlider", -0.5, 1.5, 0.5],
  ])("a number %d is a slider around it", (like, kind, min, max, value) => {
    const { x } = widgets.interact(() => undefined, { x: like }).controls;
    expect([x.toString().split("(")[0], x.get("min"), x.get("max"), x.value]).toEqual([
      kind,
      min,
      max,
      value,
    ]);
  });
});

describe("values", () => {
  it("stay between the bounds, whatever is asked", () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer(), fc.double({ noNaN: true }), (a, b, value) => {
        const [min, max] = [Math.min(a, b), Math.max(a, b)];
        const slider = widgets.intSlider({ min, max, value });
        expect(slider.value).toBeGreaterThanOrEqual(min);
        expect(slider.value).toBeLessThanOrEqual(max);
        expect(Number.isInteger(slider.value)).toBe(true);
      }),
    );
  });

  it.each([
    [() => widgets.intSlider({ min: 2, max: 1 }), /min 2 is above max 1/],
    [() => widgets.intRangeSlider({ value: [5, 2] }), /lower end 5 is above the upper end 2/],
    [() => widgets.dropdown({ options: ["a", "b"], value: "c" }), /c is none of the options: a, b/],
    [() => widgets.floatSlider({ value: Number.NaN }), /expected a number, found NaN/],
  ])("%s", (make, message) => {
    expect(make).toThrow(message);
  });

  it("a change of the bounds moves the value", () => {
    const slider = widgets.floatSlider({ value: 50 });
    slider.set({ max: 10 });
    expect(slider.value).toBe(10);
  });
});

describe("with a kernel", () => {
  it("opens once, those inside first, and sends only what changed", () => {
    const { sent } = fakeComms();
    const slider = widgets.intSlider({ value: 1 });
    const box = widgets.vbox([slider]);
    box[displaySymbol]();
    box[displaySymbol]();
    expect(sent).toHaveLength(5);
    expect(sent.map(({ id }) => id).indexOf(slider.id)).toBeLessThan(
      sent.map(({ id }) => id).indexOf(box.id),
    );
    slider.value = 2;
    slider.value = 2;
    expect(sent.slice(5).map(({ data }) => data)).toEqual([
      { method: "update", state: { value: 2 }, buffer_paths: [] },
    ]);
  });

  it("carries bytes beside the state, both ways", () => {
    const { sent, say } = fakeComms();
    const widget = new widgets.Widget({ model: "Image" }, { value: new Uint8Array([1, 2]), format: "png" });
    widget[displaySymbol]();
    expect(sent[0]).toMatchObject({ data: { buffer_paths: [["value"]] }, buffers: [new Uint8Array([1, 2])] });
    expect(sent[0]!.data.state as object).not.toHaveProperty("value");
    say(widget.id, { method: "update", state: {}, buffer_paths: [["value"]] }, [new Uint8Array([3])]);
    expect(widget.get("value")).toEqual(new Uint8Array([3]));
  });

  it("is silent when it is closed", () => {
    const { sent, closed } = fakeComms();
    const slider = widgets.intSlider();
    slider[displaySymbol]();
    slider.close();
    const count = sent.length;
    slider.value = 9;
    expect([sent.length, closed]).toEqual([count, [slider.id]]);
  });
});

it("buffers that are taken out can be put back", () => {
  const bytes = fc.uint8Array().map((array) => new Uint8Array(array));
  const state = fc.dictionary(
    fc.string().filter((key) => key !== "__proto__"),
    fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 3 },
        fc.integer(),
        fc.string(),
        bytes,
        fc.array(tie("value")),
        fc.dictionary(
          fc.string().filter((key) => key !== "__proto__"),
          tie("value"),
        ),
      ),
    })).value,
  );
  fc.assert(
    fc.property(state, (given) => {
      const { state: json, buffer_paths, buffers } = splitBuffers(given);
      expect(() => JSON.stringify(json)).not.toThrow();
      const back = JSON.parse(JSON.stringify(json));
      joinBuffers(back, buffer_paths, buffers);
      expect(splitBuffers(back).buffers).toEqual(buffers);
    }),
  );
});
