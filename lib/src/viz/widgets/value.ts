/** Widgets that hold one value. */
import { type State, Widget } from "./widget.js";

/** What every control takes beside its own options. */
export interface ControlOptions {
  /** Text before the control. */
  readonly description?: string;
  readonly disabled?: boolean;
  readonly tooltip?: string;
  /** CSS of the box around it, such as `{ width: "50%" }`. */
  readonly layout?: Readonly<Record<string, string>>;
  /** Of the control itself, such as `{ descriptionWidth: "initial" }`. */
  readonly style?: Readonly<Record<string, string>>;
}

/** A kind of control: the model's name, its own state, and what its state may be. */
export interface ControlSpec {
  readonly model: string;
  readonly view?: string;
  /** Model of its style. Default: that of every control with a description. */
  readonly style?: string;
  readonly state: State;
  readonly check?: (state: State) => State;
}

/** `readoutFormat` here is `readout_format` there. */
function snakeCase(options: object): State {
  return Object.fromEntries(
    Object.entries(options)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => [key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), value]),
  );
}

/** The model of a box's CSS. */
export function layoutModel(css: object = {}): Widget {
  return new Widget({ model: "Layout", module: "@jupyter-widgets/base" }, snakeCase(css));
}

function styleModel(model: string, css: object = {}): Widget {
  return new Widget({ model, view: "Style", viewModule: "@jupyter-widgets/base" }, snakeCase(css));
}

/** A control with its description, layout and style. */
export class Control extends Widget {
  private readonly check: ControlSpec["check"];

  constructor(spec: ControlSpec, options: object) {
    const { layout, style, ...own } = options as ControlOptions;
    super(spec, {
      description: "",
      tooltip: null,
      tabbable: null,
      ...spec.state,
      ...snakeCase(own),
      layout: layoutModel(layout),
      style: styleModel(spec.style ?? "DescriptionStyle", style),
    });
    this.check = spec.check;
    this.set({});
  }

  protected override validated(state: State): State {
    return this.check?.(state) ?? {};
  }

  override toString(): string {
    const description = this.get("description");
    const value = this.valueText();
    const parts = [description && JSON.stringify(description), value].filter(Boolean);
    return `${super.toString()}(${parts.join(": ")})`;
  }

  /** Its value for people; nothing for what has none. */
  protected valueText(): string | undefined {
    return "value" in this ? JSON.stringify(this.value) : undefined;
  }
}

/** A control with a value of type `T`. */
export class ValueWidget<T> extends Control {
  get value(): T {
    return this.get("value") as T;
  }

  set value(value: T) {
    this.set({ value });
  }

  /** Calls `listener` with each new value, from the page or from `value = …`. @returns what ends that. */
  observe(listener: (value: T) => void): () => void {
    return this.onChange("value", () => listener(this.value));
  }
}

/** One of several options. The page knows their labels; the value is the option itself. */
export class SelectionWidget<T> extends ValueWidget<T> {
  constructor(
    spec: ControlSpec,
    private readonly choices: readonly (readonly [label: string, value: T])[],
    value: T | undefined,
    options: object,
  ) {
    const index = value === undefined ? (choices.length > 0 ? 0 : null) : indexOf(choices, value);
    super(spec, { ...options, _options_labels: choices.map(([label]) => label), index });
  }

  override get value(): T {
    const index = this.get("index") as number | null;
    return (index === null ? undefined : this.choices[index]?.[1]) as T;
  }

  override set value(value: T) {
    this.set({ index: indexOf(this.choices, value) });
  }

  override observe(listener: (value: T) => void): () => void {
    return this.onChange("index", () => listener(this.value));
  }

  /** Objects by their label: a graph is no text for one line, and may hold itself. */
  protected override valueText(): string | undefined {
    const { value } = this;
    if (typeof value !== "object" || value === null) return super.valueText();
    return JSON.stringify(this.choices[this.get("index") as number][0]);
  }
}

/** Any number of several options. */
export class MultipleSelectionWidget<T> extends ValueWidget<readonly T[]> {
  constructor(
    spec: ControlSpec,
    private readonly choices: readonly (readonly [label: string, value: T])[],
    value: readonly T[],
    options: object,
  ) {
    const index = value.map((each) => indexOf(choices, each));
    super(spec, { ...options, _options_labels: choices.map(([label]) => label), index });
  }

  override get value(): readonly T[] {
    return (this.get("index") as number[]).map((index) => this.choices[index]![1]);
  }

  override set value(value: readonly T[]) {
    this.set({ index: value.map((each) => indexOf(this.choices, each)) });
  }

  override observe(listener: (value: readonly T[]) => void): () => void {
    return this.onChange("index", () => listener(this.value));
  }
}

function indexOf<T>(choices: readonly (readonly [string, T])[], value: T): number {
  const index = choices.findIndex(([, option]) => Object.is(option, value));
  if (index >= 0) return index;
  const labels = choices.map(([label]) => label).join(", ");
  throw new RangeError(`${String(value)} is none of the options: ${labels}.`);
}
