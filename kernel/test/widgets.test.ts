/** Widgets over the wire: a client that plays the page, and ipywidgets in Python as the judge of every model's state. */
import { execFileSync } from "node:child_process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Message } from "../src/protocol/message.js";
import { startKernel, type TestKernel, text, until } from "./kernel.js";
import { pythonWith } from "./python.js";

const python = pythonWith({ ipywidgets: "ipywidgets==8.1.9" });

type State = Record<string, unknown>;

let kernel: TestKernel;
/** Comm messages on iopub since the last `forget`. */
const comms: Message[] = [];
const models = new Map<string, State>();

beforeAll(async () => {
  kernel = await startKernel();
  kernel.client.onMessage((message) => {
    const { msg_type } = message.header;
    if (!msg_type.startsWith("comm_")) return;
    comms.push(message);
    const { comm_id, data } = message.content as { comm_id: string; data: { state?: State } };
    if (msg_type === "comm_open") models.set(comm_id, { ...data.state });
    else if (msg_type === "comm_msg" && models.has(comm_id)) Object.assign(models.get(comm_id)!, data.state);
  });
  expect((await kernel.client.execute('import { viz, widgets } from "mlsys";')).reply.status).toBe("ok");
});
afterAll(() => kernel.stop());

const run = (code: string) => kernel.client.execute(code);
const VIEW = "application/vnd.jupyter.widget-view+json";

/** Shows a widget; its model's id. */
async function shown(code: string): Promise<string> {
  const { result, reply } = await run(code);
  expect(reply).toMatchObject({ status: "ok" });
  const view = result![VIEW] as { model_id: string; version_major: number; version_minor: number };
  expect(view).toMatchObject({ version_major: 2, version_minor: 0 });
  return view.model_id;
}

/** What the page sends; resolves when the kernel has dealt with it. */
async function say(comm_id: string, data: object): Promise<string> {
  const idle = new Promise<string>((resolve) => {
    const stop = kernel.client.onMessage(({ header, parentHeader, content }) => {
      if (header.msg_type !== "status" || content.execution_state !== "idle") return;
      if ((parentHeader as { msg_type?: string }).msg_type !== "comm_msg") return;
      stop();
      resolve((parentHeader as { msg_id: string }).msg_id);
    });
  });
  await kernel.client.send("shell", "comm_msg", { comm_id, data });
  return idle;
}

const update = (comm_id: string, state: State) => say(comm_id, { method: "update", state, buffer_paths: [] });
const model = (reference: unknown) => models.get(String(reference).replace("IPY_MODEL_", ""))!;

describe.skipIf("missing" in python)("models", () => {
  const CONTROLS: Record<string, string> = {
    IntSlider: "intSlider()",
    FloatSlider: "floatSlider()",
    IntRangeSlider: "intRangeSlider()",
    FloatRangeSlider: "floatRangeSlider()",
    IntProgress: "intProgress()",
    FloatProgress: "floatProgress()",
    Button: "button()",
    Checkbox: "checkbox()",
    ToggleButton: "toggleButton()",
    Text: "text()",
    Textarea: "textarea()",
    HTML: "html()",
    Label: "label()",
    Dropdown: 'dropdown({ options: ["a", "b"] })',
    Select: 'select({ options: ["a", "b"] })',
    SelectMultiple: 'selectMultiple({ options: ["a", "b"] })',
    RadioButtons: 'radioButtons({ options: ["a", "b"] })',
    ToggleButtons: 'toggleButtons({ options: ["a", "b"] })',
    VBox: "vbox([])",
    HBox: "hbox([])",
    Output: "output()",
  };
  let theirs: Record<string, { state: State; style?: State; layout: State }>;
  beforeAll(() => {
    const script = `
import json, ipywidgets
out = {}
for name in ${JSON.stringify(Object.keys(CONTROLS))}:
    options = {"options": ["a", "b"]} if name in ("Dropdown", "Select", "SelectMultiple", "RadioButtons", "ToggleButtons") else {}
    widget = getattr(ipywidgets, name)(**options)
    out[name] = {"state": widget.get_state(), "layout": widget.layout.get_state()}
    if hasattr(widget, "style"): out[name]["style"] = widget.style.get_state()
print(json.dumps(out))`;
    theirs = JSON.parse(
      execFileSync((python as { python: string }).python, ["-c", script], { encoding: "utf8" }),
    );
  });

  it.each(Object.entries(CONTROLS))("%s has the state that ipywidgets gives it", async (name, code) => {
    const { layout, style, ...ours } = models.get(await shown(`widgets.${code}`))!;
    const { state, ...parts } = theirs[name]!;
    // How many views are there is the page's to count; a class list is for themes.
    const { layout: _l, style: _s, _view_count, _dom_classes, ...expected } = state;
    expect(ours).toEqual(expected);
    const identity = (of: State) =>
      Object.fromEntries(Object.entries(of).filter(([key]) => /^_(model|view)_(?!count)/.test(key)));
    expect(identity(model(layout))).toEqual(identity(parts.layout));
    if (parts.style) expect(identity(model(style))).toEqual(identity(parts.style));
  });
});

it("opens models with the protocol's version, those inside first", async () => {
  comms.length = 0;
  const id = await shown("widgets.vbox([widgets.intSlider({ layout: { width: '50%' } })])");
  const opened = comms.filter(({ header }) => header.msg_type === "comm_open");
  expect(opened.at(-1)!.content).toMatchObject({ comm_id: id, target_name: "jupyter.widget" });
  for (const { metadata } of opened) expect(metadata).toEqual({ version: "2.1.0" });
  const [child] = models.get(id)!.children as string[];
  expect(model(model(child).layout)).toMatchObject({ width: "50%", _model_name: "LayoutModel" });
  const { content } = (await kernel.client.request("comm_info_request", { target_name: "jupyter.widget" }))
    .reply;
  expect(Object.keys(content.comms as object)).toContain(id);
});

describe("a slider", () => {
  it("carries values both ways, and echoes those of the page", async () => {
    const id = await shown("const depth = widgets.intSlider({ value: 3, max: 10 }); depth");
    await run(
      "const seen: number[] = []; depth.observe((value) => { seen.push(value); console.log('at', value) });",
    );
    comms.length = 0;
    const said = await update(id, { value: 7 });
    expect(text(await run("[depth.value, seen]"))).toBe("[ 7, [ 7 ] ]");
    expect(comms).toHaveLength(1);
    expect(comms[0]!.content.data).toEqual({ method: "echo_update", state: { value: 7 }, buffer_paths: [] });
    expect((comms[0]!.parentHeader as { msg_id: string }).msg_id).toBe(said);
    await run("depth.value = 99");
    expect(models.get(id)!.value).toBe(10);
  });

  it("corrects what the page may not have, and says what a cell may not", async () => {
    const id = await shown("const low = widgets.intSlider({ max: 5 }); low");
    await update(id, { value: 50 });
    expect(models.get(id)!.value).toBe(5);
    expect((await run("low.value = NaN")).reply).toMatchObject({
      ename: "TypeError",
      evalue: "value: expected a number, found NaN.",
    });
    expect((await run("widgets.intSlider({ min: 5, max: 1 })")).reply.evalue).toBe("min 5 is above max 1.");
    expect((await run('widgets.intSlider({ value: "5" })')).reply.ename).toBe("TypeScriptError");
  });

  it("answers a page that asks for its state", async () => {
    const id = await shown("widgets.floatSlider({ value: 0.5 })");
    comms.length = 0;
    await say(id, { method: "request_state" });
    expect(comms[0]!.content.data).toMatchObject({
      method: "update",
      state: { value: 0.5, _model_name: "FloatSliderModel" },
    });
  });
});

it("prints of a callback go to the cell that showed the widget, errors too", async () => {
  const outputs: [string, unknown, unknown][] = [];
  let cell = "";
  const stop = kernel.client.onMessage(({ header, parentHeader, content }) => {
    if (header.msg_type === "execute_input") cell = (parentHeader as { msg_id: string }).msg_id;
    if (header.msg_type === "stream" || header.msg_type === "error")
      outputs.push([
        header.msg_type,
        (parentHeader as { msg_id: string }).msg_id,
        content.text ?? content.evalue,
      ]);
  });
  const id = await shown("const go = widgets.button({ description: 'Go' }); go");
  const showing = cell;
  await run(
    "let clicks = 0; go.onClick(() => { console.log('click', ++clicks); if (clicks === 2) throw new Error('second') });",
  );
  await run("'another cell'");
  await say(id, { method: "custom", content: { event: "click" } });
  await say(id, { method: "custom", content: { event: "click" } });
  await until(() => outputs.length === 3);
  stop();
  expect(outputs).toEqual([
    ["stream", showing, "click 1\n"],
    ["stream", showing, "click 2\n"],
    ["error", showing, "second"],
  ]);
  expect(text(await run("clicks"))).toBe("2");
});

describe("an output area", () => {
  it("takes what is printed, shown and thrown in it, also later", async () => {
    const id = await shown("const area = widgets.output(); area");
    const { outputs, reply } = await run(`
      area.capture(() => { console.log("one"); display.html("<b>two</b>"); console.log("three") });
      void area.capture(async () => { await null; setTimeout(() => console.log("late"), 20); throw new RangeError("four") });
      console.log("outside");`);
    expect(reply.status).toBe("ok");
    expect(outputs.filter(({ type }) => !type.startsWith("comm_"))).toMatchObject([
      { type: "stream", content: { text: "outside\n" } },
    ]);
    await until(() => JSON.stringify(models.get(id)!.outputs).includes("late"));
    expect(models.get(id)!.outputs).toMatchObject([
      { output_type: "stream", name: "stdout", text: "one\n" },
      { output_type: "display_data", data: { "text/html": "<b>two</b>" }, metadata: {} },
      { output_type: "stream", text: "three\n" },
      { output_type: "error", ename: "RangeError", evalue: "four" },
      { output_type: "stream", text: "late\n" },
    ]);
    await run("area.clear()");
    expect(models.get(id)!.outputs).toEqual([]);
  });

  it("replaces what is updated, and keeps the end of a flood", async () => {
    const id = await shown("const flood = widgets.output(); flood");
    await run("flood.capture(() => { const bar = display('10 %'); bar.update('90 %') })");
    expect(JSON.stringify(models.get(id)!.outputs)).toMatch(/90 %/);
    expect(JSON.stringify(models.get(id)!.outputs)).not.toMatch(/10 %/);
    comms.length = 0;
    await run("flood.capture(() => { for (let i = 0; i < 100_000; i++) console.log('line', i) })");
    await until(() => JSON.stringify(models.get(id)!.outputs).includes("line 99999"));
    expect(JSON.stringify(models.get(id)!.outputs)).toContain("truncated");
    expect(comms.length).toBeLessThan(200);
  });
});

describe("interact", () => {
  it("makes a control of each argument and calls the function anew", async () => {
    const id = await shown(`
      const panel = widgets.interact(({ n, rate, log, title, kind, size }) => {
        console.log(n.toFixed(1), rate, log, title.length, kind.toUpperCase(), size + 1);
        return viz.line({ y: [n, 2 * n] }, { title });
      }, { n: [0, 10], rate: [0, 1, 0.25], log: false, title: "t", kind: ["sgd", "adam"], size: { small: 1, large: 9 } });
      panel`);
    const [n, rate, log, title, kind, size, area] = (models.get(id)!.children as string[]).map(
      model,
    ) as State[];
    expect([n, rate, log, title, kind, size, area].map((each) => each!._model_name)).toEqual([
      "IntSliderModel",
      "FloatSliderModel",
      "CheckboxModel",
      "TextModel",
      "DropdownModel",
      "DropdownModel",
      "OutputModel",
    ]);
    expect(n).toMatchObject({ description: "n", value: 5, min: 0, max: 10, step: 1 });
    expect(rate).toMatchObject({ value: 0.5, step: 0.25 });
    expect(size).toMatchObject({ _options_labels: ["small", "large"], index: 0 });
    const drawn = () =>
      area!.outputs as { text?: string; data?: Record<string, { data: { y: number[] }[] }> }[];
    expect(drawn()[0]!.text).toBe("5.0 0.5 false 1 SGD 2\n");
    expect(drawn()[1]!.data!["application/vnd.plotly.v1+json"]!.data[0]!.y).toEqual([5, 10]);
    const idOf = (state: State) => [...models].find(([, each]) => each === state)![0];
    await update(idOf(n!), { value: 8 });
    await update(idOf(size!), { index: 1 });
    await until(() => drawn()[0]?.text === "8.0 0.5 false 1 SGD 10\n");
    expect(drawn()).toHaveLength(2);
    expect(drawn()[1]!.data!["application/vnd.plotly.v1+json"]!.data[0]!.y).toEqual([8, 16]);
  });

  it("types the arguments by their controls", async () => {
    const { reply } = await run("widgets.interact(({ n }) => n.toUpperCase(), { n: [0, 10] })");
    expect(reply).toMatchObject({ ename: "TypeScriptError" });
  });

  it("shows errors in the area, and of many changes during a slow call the last counts", async () => {
    const id = await shown(`
      const calls: number[] = [];
      widgets.interact(async ({ k }) => {
        calls.push(k);
        await new Promise((resolve) => setTimeout(resolve, 100));
        if (k === 9) throw new Error("nine");
        return k;
      }, { k: [0, 10] })`);
    const [slider, area] = models.get(id)!.children as string[];
    for (const value of [1, 2, 3, 9]) await update(slider!.replace("IPY_MODEL_", ""), { value });
    await until(() => JSON.stringify(model(area).outputs).includes("nine"));
    expect(model(area).outputs).toMatchObject([{ output_type: "error", ename: "Error", evalue: "nine" }]);
    expect(text(await run("calls"))).toBe("[ 5, 9 ]");
  });
});

it("tells a page that was loaded again every model at once", async () => {
  await shown("widgets.intSlider({ value: 42, description: 'kept' })");
  await kernel.client.send("shell", "comm_open", {
    comm_id: "control",
    target_name: "jupyter.widget.control",
    data: {},
  });
  comms.length = 0;
  await say("control", { method: "request_states" });
  const { states } = comms.at(-1)!.content.data as {
    states: Record<string, { model_name: string; state: State }>;
  };
  const kept = Object.values(states).find(({ state }) => state.description === "kept")!;
  expect(kept).toMatchObject({
    model_name: "IntSliderModel",
    model_module_version: "2.0.0",
    state: { value: 42 },
  });
  expect(Object.keys(states)).toContain((kept.state.layout as string).replace("IPY_MODEL_", ""));
});

describe("interrupt, close, crash", () => {
  it("stops a callback that does not end; the widget lives on", async () => {
    const id = await shown(
      "const spin = widgets.button(); let loops = 0; spin.onClick(() => { loops++; while (loops === 1); }); spin",
    );
    const done = say(id, { method: "custom", content: { event: "click" } });
    await new Promise((resolve) => setTimeout(resolve, 300));
    await kernel.client.request("interrupt_request", {}, { channel: "control" });
    await done;
    await say(id, { method: "custom", content: { event: "click" } });
    expect(text(await run("loops"))).toBe("2");
  });

  it("closes a model in the page", async () => {
    const id = await shown("const gone = widgets.text(); gone");
    comms.length = 0;
    await run("gone.close(); gone.value = 'unheard'");
    expect(comms.map(({ header, content }) => [header.msg_type, content.comm_id])).toEqual([
      ["comm_close", id],
    ]);
  });

  it("tells the page that its models are gone when the process has ended", async () => {
    const id = await shown("widgets.text()");
    comms.length = 0;
    await run("process.exit(1)");
    expect(
      comms.filter(({ header }) => header.msg_type === "comm_close").map(({ content }) => content.comm_id),
    ).toContain(id);
    const { content } = (await kernel.client.request("comm_info_request", {})).reply;
    expect(content.comms).toEqual({});
    // A page that still speaks to them is answered with silence, not with trouble.
    await say(id, { method: "update", state: { value: "x" } });
    expect(text(await run("1 + 1"))).toBe("2");
  });
});
