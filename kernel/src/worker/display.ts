/**
 * `display()` and its methods, as a cell sees them, and the two symbols under which a library finds the same:
 * `Symbol.for("Jupyter.publish")` and `Symbol.for("Jupyter.clearOutput")`.
 */
import { randomUUID } from "node:crypto";
import type { MimeBundle } from "../link/messages.js";
import { send } from "./link.js";
import { base64, DISPLAY, finish, imageType, PLOTLY, plainText, render } from "./render.js";
import { currentRun } from "./runs.js";
import { flush } from "./streams.js";
import { hasTree, treeHtml } from "./tree.js";
import { VEGALITE } from "./vega.js";

export interface PublishOptions {
  /** Names the output, so that it can be updated later, from any cell. */
  displayId?: string;
  /** Replaces the outputs of that name instead of adding one. */
  update?: boolean;
  metadata?: object;
  transient?: object;
}

export interface DisplayOptions {
  /** Names the output, so that `display.update(id, value)` can replace it. */
  id?: string;
  metadata?: object;
}

/** What `display` returns: the output, to be replaced later. It shows nothing itself. */
export interface DisplayHandle {
  readonly id: string;
  /** Replaces the output. */
  update(value: unknown): void;
}

export interface PlotlyFigure {
  data: readonly object[];
  layout?: object;
  config?: object;
  frames?: readonly object[];
}

export interface Display {
  /** Shows any value: its own MIME bundle where it has one, a table for an array of records, else its text. */
  (value: unknown, options?: DisplayOptions): DisplayHandle;
  html(markup: string, options?: DisplayOptions): DisplayHandle;
  svg(markup: string, options?: DisplayOptions): DisplayHandle;
  /** @param image PNG bytes, or their base64 text. */
  png(image: Uint8Array | string, options?: DisplayOptions): DisplayHandle;
  /** @param image JPEG bytes, or their base64 text. */
  jpeg(image: Uint8Array | string, options?: DisplayOptions): DisplayHandle;
  gif(image: Uint8Array | string, options?: DisplayOptions): DisplayHandle;
  webp(image: Uint8Array | string, options?: DisplayOptions): DisplayHandle;
  /** @param image bytes of a PNG, JPEG, GIF or WebP file. @throws TypeError for other bytes */
  image(image: Uint8Array, options?: DisplayOptions): DisplayHandle;
  markdown(text: string, options?: DisplayOptions): DisplayHandle;
  latex(text: string, options?: DisplayOptions): DisplayHandle;
  json(value: unknown, options?: DisplayOptions): DisplayHandle;
  plotly(figure: PlotlyFigure, options?: DisplayOptions): DisplayHandle;
  /** @param spec a Vega-Lite chart; one with its `$schema` is shown as a chart by `display` itself. */
  vegalite(spec: object, options?: DisplayOptions): DisplayHandle;
  /** Shows an object as a tree that opens and closes. */
  tree(value: object, options?: DisplayOptions): DisplayHandle;
  /** Shows a MIME bundle as it is. */
  bundle(bundle: Record<string, unknown>, options?: DisplayOptions): DisplayHandle;
  /** Replaces every output named `id`, in whichever cell it stands. */
  update(id: string, value: unknown): void;
  /** Clears the cell's output; with `wait`, only when the next output comes. */
  clear(wait?: boolean): void;
}

/** The last of what waits to be shown, by cell: the cell is not over before it is. */
const last = new Map<number, Promise<void>>();

export async function displaysSettled(run: number): Promise<void> {
  while (last.has(run)) await last.get(run);
}

export function hasPendingDisplays(run: number): boolean {
  return last.has(run);
}

/** Shows stand in the order of their calls, though some values take time to draw: `act` waits for them, and for `ready`. */
function inTurn(run: number, act: () => unknown, ready?: Promise<void>): void {
  const before = last.get(run);
  if (!before && !ready) return void act();
  const turn: Promise<void> = Promise.all([before?.catch(() => {}), ready])
    .then(() => void act())
    .finally(() => {
      if (last.get(run) === turn) last.delete(run);
    });
  last.set(run, turn);
}

export function publish(bundle: MimeBundle, options: PublishOptions = {}, run = currentRun()): void {
  const ready = finish(bundle); // as it is now: it may be changed before its turn
  inTurn(run, () => sendDisplay(ready, options, run));
}

function sendDisplay(data: MimeBundle, options: PublishOptions, run: number): void {
  flush();
  send({
    type: "display",
    run,
    data,
    metadata: { ...options.metadata },
    transient: {
      ...options.transient,
      ...(options.displayId === undefined ? {} : { display_id: options.displayId }),
    },
    update: options.update === true,
  });
}

export function clearOutput(wait = false): void {
  const run = currentRun();
  inTurn(run, () => {
    flush();
    send({ type: "clear", run, wait: Boolean(wait) });
  });
}

export function makeDisplay(): Display {
  const show = (bundle: MimeBundle, options?: DisplayOptions) => {
    const handle = makeHandle(options);
    publish(bundle, { displayId: handle.id, metadata: options?.metadata });
    return handle;
  };
  const display = ((value: unknown, options?: DisplayOptions) => {
    const handle = makeHandle(options);
    showValue(value, { displayId: handle.id, metadata: options?.metadata });
    return handle;
  }) as Display;
  display.html = (markup, options) => show({ "text/html": String(markup) }, options);
  display.svg = (markup, options) => show({ "image/svg+xml": String(markup) }, options);
  display.png = (image, options) => show({ "image/png": imageData(image) }, options);
  display.jpeg = (image, options) => show({ "image/jpeg": imageData(image) }, options);
  display.gif = (image, options) => show({ "image/gif": imageData(image) }, options);
  display.webp = (image, options) => show({ "image/webp": imageData(image) }, options);
  display.image = (image, options) => {
    const type = imageType(image);
    if (!type) throw new TypeError("display.image: the bytes are none of PNG, JPEG, GIF and WebP.");
    return show({ [type]: base64(image) }, options);
  };
  display.markdown = (text, options) =>
    show({ "text/markdown": String(text), "text/plain": String(text) }, options);
  display.latex = (text, options) =>
    show({ "text/latex": String(text), "text/plain": String(text) }, options);
  display.json = (value, options) =>
    show({ "application/json": value, "text/plain": JSON.stringify(value, null, 2) ?? "undefined" }, options);
  display.plotly = (figure, options) => show({ [PLOTLY]: figure }, options);
  display.vegalite = (spec, options) => show({ [VEGALITE]: spec }, options);
  display.tree = (value, options) =>
    show(
      hasTree(value)
        ? { "text/html": treeHtml(value), "text/plain": plainText(value) }
        : { "text/plain": plainText(value) },
      options,
    );
  display.bundle = (bundle, options) => show(bundle, options);
  display.update = (id, value) => showValue(value, { displayId: id, update: true });
  display.clear = clearOutput;
  return display;
}

function showValue(value: unknown, options: PublishOptions): void {
  const run = currentRun();
  const bundle = render(value);
  if (!(bundle instanceof Promise)) {
    if (bundle) publish(bundle, options, run);
    return;
  }
  let drawn: MimeBundle | null = null;
  const ready = bundle.then(
    (settled) => {
      drawn = settled && finish(settled);
    },
    (error) => {
      drawn = { "text/plain": `[display failed: ${String(error)}]` };
    },
  );
  inTurn(run, () => drawn && sendDisplay(drawn, options, run), ready);
}

function makeHandle(options?: DisplayOptions): DisplayHandle {
  const id = options?.id ?? randomUUID();
  const handle = {
    id,
    update: (value: unknown) => showValue(value, { displayId: id, update: true }),
  };
  return Object.defineProperty(handle, DISPLAY, { value: () => null, enumerable: false });
}

function imageData(image: Uint8Array | string): string {
  return typeof image === "string" ? image : base64(image);
}
