/**
 * A widget: state that is the same here and in the page, after ipywidgets' protocol 2.1.0
 * (https://github.com/jupyter-widgets/ipywidgets/blob/main/packages/schema/messages.md).
 * Its comm opens when it is first shown. Without a kernel it is plain state.
 */
import { randomUUID } from "node:crypto";
import { displaySymbol, type MimeBundle } from "../bundle.js";
import { joinBuffers, splitBuffers } from "./buffers.js";
import { type Comm, commManager } from "./comm.js";

const TARGET = "jupyter.widget";
const CONTROL_TARGET = "jupyter.widget.control";
const VIEW = "application/vnd.jupyter.widget-view+json";
const REFERENCE = "IPY_MODEL_";

/** Versions of the front end's packages that the models are written for. */
const VERSIONS = {
  "@jupyter-widgets/base": "2.0.0",
  "@jupyter-widgets/controls": "2.0.0",
  "@jupyter-widgets/output": "1.0.0",
} as const;

export interface ModelSpec {
  /** Name of the model in the page, without `Model`. */
  readonly model: string;
  /** Name of its view, without `View`. Default: the model's. */
  readonly view?: string;
  readonly module?: keyof typeof VERSIONS;
  readonly viewModule?: keyof typeof VERSIONS;
}

export type State = Record<string, unknown>;

type ChangeListener = (value: unknown, before: unknown) => void;

/** Widgets with an open comm, for a page that was loaded again. */
const shown = new Map<string, Widget>();

/** The base of all widgets. `get` and `set` work on the names of ipywidgets' own state. */
export class Widget {
  readonly id: string = randomUUID().replaceAll("-", "");
  private readonly state: State;
  private comm: Comm | undefined;
  private readonly changes = new Map<string, Set<ChangeListener>>();
  private readonly messages = new Set<(content: Record<string, unknown>) => void>();
  /** What the page sent just now, by name: it is not sent back. */
  private received: State | undefined;

  constructor(
    private readonly spec: ModelSpec,
    state: State,
  ) {
    const { model, view = model, module = "@jupyter-widgets/controls", viewModule = module } = spec;
    this.state = {
      _model_name: `${model}Model`,
      _model_module: module,
      _model_module_version: VERSIONS[module],
      _view_name: `${view}View`,
      _view_module: viewModule,
      _view_module_version: VERSIONS[viewModule],
      ...state,
    };
  }

  /** A value of the state. */
  get(name: string): unknown {
    return this.state[name];
  }

  /** Changes values of the state, here and in the page. @throws RangeError | TypeError for values that the widget cannot have. */
  set(values: State): void {
    const before = { ...this.state };
    const next = { ...values, ...this.validated({ ...this.state, ...values }) };
    const changed = Object.keys(next).filter((name) => !same(next[name], before[name]));
    for (const name of changed) this.state[name] = next[name];
    const outgoing = changed.filter((name) => !this.received || !same(this.received[name], next[name]));
    if (outgoing.length > 0) this.send("update", outgoing);
    for (const name of changed)
      for (const listener of [...(this.changes.get(name) ?? [])]) listener(this.state[name], before[name]);
  }

  /** Calls `listener` when the value of that name changes. @returns what ends that. */
  onChange(name: string, listener: ChangeListener): () => void {
    const listeners = this.changes.get(name) ?? new Set();
    this.changes.set(name, listeners.add(listener));
    return () => void listeners.delete(listener);
  }

  /** Calls `listener` with messages of the page's view, such as a click. @returns what ends that. */
  onMessage(listener: (content: Record<string, unknown>) => void): () => void {
    this.messages.add(listener);
    return () => void this.messages.delete(listener);
  }

  /** Removes the widget from the page. */
  close(): void {
    this.comm?.close();
    this.forget();
  }

  /** Shows it in a notebook. */
  [displaySymbol](): MimeBundle {
    const text = this.toString();
    if (!this.open()) return { "text/plain": text };
    return { [VIEW]: { version_major: 2, version_minor: 0, model_id: this.id }, "text/plain": text };
  }

  toString(): string {
    return this.spec.model;
  }

  /** What values become before they are taken: clamped, rounded. Only what differs is returned. */
  protected validated(_state: State): State {
    return {};
  }

  /** Opens the comm, those of the widgets inside first. @returns whether there is a kernel. */
  private open(): boolean {
    const manager = commManager();
    if (!manager) return false;
    if (this.comm) return true;
    watchReloads(manager);
    const { buffers, ...data } = this.wire(Object.keys(this.state));
    const comm = manager.open(TARGET, data, { id: this.id, metadata: { version: "2.1.0" }, buffers });
    this.comm = comm;
    shown.set(this.id, this);
    comm.onMessage((message, parts) => this.receive(message as Message, parts));
    comm.onClose(() => this.forget());
    return true;
  }

  private forget(): void {
    this.comm = undefined;
    shown.delete(this.id);
  }

  private receive(message: Message, buffers: readonly Uint8Array[]): void {
    if (message.method === "request_state") this.send("update", Object.keys(this.state));
    else if (message.method === "custom") this.dispatch(message.content ?? {});
    else if (message.method === "update") {
      const state = { ...message.state };
      joinBuffers(state, message.buffer_paths ?? [], buffers);
      // The page, and others that show the same, take the echo as the word that the change has arrived.
      this.comm?.send(
        { method: "echo_update", ...withoutBuffers(splitBuffers(state)) },
        {},
        splitBuffers(state).buffers,
      );
      this.received = state;
      try {
        this.set(state);
      } finally {
        this.received = undefined;
      }
    }
  }

  /** Hands a message of the view to the listeners. */
  protected dispatch(content: Record<string, unknown>): void {
    for (const listener of [...this.messages]) listener(content);
  }

  private send(method: "update", names: readonly string[]): void {
    if (!this.comm) return;
    const { buffers, ...data } = this.wire(names);
    this.comm.send({ method, ...data }, {}, buffers);
  }

  /** Values as they travel. Widgets among them are opened and named by reference. */
  private wire(names: readonly string[]): ReturnType<typeof splitBuffers> {
    return splitBuffers(Object.fromEntries(names.map((name) => [name, referenced(this.state[name])])));
  }

  /** The model as the control comm tells it to a page that was loaded again. */
  snapshot(): { model: State; paths: (string | number)[][]; buffers: Uint8Array[] } {
    const { state, buffer_paths, buffers } = this.wire(Object.keys(this.state));
    const { _model_name, _model_module, _model_module_version } = this.state;
    const model = {
      model_name: _model_name,
      model_module: _model_module,
      model_module_version: _model_module_version,
      state,
    };
    return { model, paths: buffer_paths, buffers };
  }

  /** The reference by which other models name this one. */
  reference(): string {
    this.open();
    return REFERENCE + this.id;
  }
}

interface Message {
  method?: string;
  state?: State;
  buffer_paths?: (string | number)[][];
  content?: Record<string, unknown>;
}

function withoutBuffers({ state, buffer_paths }: ReturnType<typeof splitBuffers>) {
  return { state, buffer_paths };
}

function referenced(value: unknown): unknown {
  if (value instanceof Widget) return value.reference();
  return Array.isArray(value) ? value.map(referenced) : value;
}

let watching: unknown;

/** A page that was loaded again asks for all models at once. */
function watchReloads(manager: NonNullable<ReturnType<typeof commManager>>): void {
  if (watching === manager) return;
  watching = manager;
  manager.registerTarget(CONTROL_TARGET, (comm) =>
    comm.onMessage((message) => {
      if ((message as Message).method !== "request_states") return;
      const states: Record<string, unknown> = {};
      const paths: (string | number)[][] = [];
      const buffers: Uint8Array[] = [];
      for (const [id, widget] of shown) {
        const snapshot = widget.snapshot();
        states[id] = snapshot.model;
        paths.push(...snapshot.paths.map((path) => [id, "state", ...path]));
        buffers.push(...snapshot.buffers);
      }
      comm.send({ method: "update_states", states, buffer_paths: paths }, {}, buffers);
    }),
  );
}

function same(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (!Array.isArray(a) || !Array.isArray(b)) return false;
  return a.length === b.length && a.every((item, index) => same(item, b[index]));
}
