/** The controls: a row of the table, and a function, for each of ipywidgets' that the library offers. */
import {
  Control,
  type ControlOptions,
  type ControlSpec,
  MultipleSelectionWidget,
  SelectionWidget,
  ValueWidget,
} from "./value.js";
import type { State } from "./widget.js";

export interface NumberOptions extends ControlOptions {
  readonly value?: number;
  readonly min?: number;
  readonly max?: number;
  readonly step?: number;
  readonly orientation?: "horizontal" | "vertical";
  /** Whether the value is written beside the slider. */
  readonly readout?: boolean;
  /** d3's format of it, such as `".3f"`. */
  readonly readoutFormat?: string;
  /** `false`: a new value only when the slider is let go. */
  readonly continuousUpdate?: boolean;
}

export interface RangeOptions extends Omit<NumberOptions, "value"> {
  readonly value?: readonly [number, number];
}

export interface TextOptions extends ControlOptions {
  readonly value?: string;
  readonly placeholder?: string;
  /** `false`: a new value only with Enter, or when the cursor leaves. */
  readonly continuousUpdate?: boolean;
}

export interface BooleanOptions extends ControlOptions {
  readonly value?: boolean;
}

export interface ButtonOptions extends ControlOptions {
  readonly icon?: string;
  readonly buttonStyle?: "" | "primary" | "success" | "info" | "warning" | "danger";
}

export interface ProgressOptions extends ControlOptions {
  readonly value?: number;
  readonly min?: number;
  readonly max?: number;
  readonly barStyle?: "" | "success" | "info" | "warning" | "danger";
  readonly orientation?: "horizontal" | "vertical";
}

/** The options of a selection: values, or values by their label. */
export type Choices<T> = readonly T[] | Readonly<Record<string, T>>;

export interface SelectionOptions<T> extends ControlOptions {
  readonly options: Choices<T>;
  readonly value?: T;
}

export interface MultipleSelectionOptions<T> extends ControlOptions {
  readonly options: Choices<T>;
  readonly value?: readonly T[];
}

const described = { description_allow_html: false };
const enabled = { ...described, disabled: false };
const slider = {
  ...enabled,
  orientation: "horizontal",
  readout: true,
  continuous_update: true,
  behavior: "drag-tap",
};
const whole = { min: 0, max: 100, step: 1, readout_format: "d" };
const real = { min: 0, max: 100, step: 0.1, readout_format: ".2f" };
const selection = { ...enabled, _options_labels: [], index: null };
const text = { ...enabled, value: "", placeholder: "\u200b", continuous_update: true };
const words = { ...described, value: "", placeholder: "\u200b" };

const SPECS = {
  intSlider: {
    model: "IntSlider",
    style: "SliderStyle",
    state: { ...slider, ...whole, value: 0 },
    check: (state) => bounded(state, true),
  },
  floatSlider: {
    model: "FloatSlider",
    style: "SliderStyle",
    state: { ...slider, ...real, value: 0 },
    check: (state) => bounded(state, false),
  },
  intRangeSlider: {
    model: "IntRangeSlider",
    style: "SliderStyle",
    state: { ...slider, ...whole, value: null },
    check: (state) => boundedRange(state, true),
  },
  floatRangeSlider: {
    model: "FloatRangeSlider",
    style: "SliderStyle",
    state: { ...slider, ...real, value: null },
    check: (state) => boundedRange(state, false),
  },
  intProgress: {
    model: "IntProgress",
    view: "Progress",
    style: "ProgressStyle",
    state: { ...described, value: 0, min: 0, max: 100, bar_style: "", orientation: "horizontal" },
    check: (state) => bounded(state, true),
  },
  floatProgress: {
    model: "FloatProgress",
    view: "Progress",
    style: "ProgressStyle",
    state: { ...described, value: 0, min: 0, max: 100, bar_style: "", orientation: "horizontal" },
    check: (state) => bounded(state, false),
  },
  button: { model: "Button", style: "ButtonStyle", state: { disabled: false, icon: "", button_style: "" } },
  checkbox: { model: "Checkbox", style: "CheckboxStyle", state: { ...enabled, value: false, indent: true } },
  toggleButton: {
    model: "ToggleButton",
    style: "ToggleButtonStyle",
    state: { ...enabled, value: false, icon: "", button_style: "" },
  },
  text: { model: "Text", style: "TextStyle", state: text },
  textarea: { model: "Textarea", style: "TextStyle", state: { ...text, rows: null } },
  html: { model: "HTML", style: "HTMLStyle", state: words },
  label: { model: "Label", style: "LabelStyle", state: words },
  dropdown: { model: "Dropdown", state: selection },
  select: { model: "Select", state: { ...selection, rows: 5 } },
  selectMultiple: { model: "SelectMultiple", state: { ...selection, index: [], rows: 5 } },
  radioButtons: { model: "RadioButtons", state: { ...selection, orientation: "vertical" } },
  toggleButtons: {
    model: "ToggleButtons",
    style: "ToggleButtonsStyle",
    state: { ...selection, button_style: "", icons: [], tooltips: [] },
  },
} satisfies Record<string, ControlSpec>;

/**
 * A slider over whole numbers. The value is kept between `min` and `max`.
 * @example widgets.intSlider({ value: 12, max: 10 }).value // 10
 */
export function intSlider(options: NumberOptions = {}): ValueWidget<number> {
  return new ValueWidget(SPECS.intSlider, options);
}

/**
 * A slider over numbers.
 * @example widgets.floatSlider({ value: 0.5, max: 1, step: 0.01, description: "rate" }).value // 0.5
 */
export function floatSlider(options: NumberOptions = {}): ValueWidget<number> {
  return new ValueWidget(SPECS.floatSlider, options);
}

/**
 * A slider with two handles over whole numbers. Default value: the middle half.
 * @example widgets.intRangeSlider({ min: 0, max: 8 }).value // [2, 6]
 */
export function intRangeSlider(options: RangeOptions = {}): ValueWidget<readonly [number, number]> {
  return new ValueWidget(SPECS.intRangeSlider, options);
}

/**
 * A slider with two handles over numbers.
 * @example widgets.floatRangeSlider({ value: [0.1, 0.4], max: 1 }).value // [0.1, 0.4]
 */
export function floatRangeSlider(options: RangeOptions = {}): ValueWidget<readonly [number, number]> {
  return new ValueWidget(SPECS.floatRangeSlider, options);
}

/**
 * A bar over whole numbers, for the reader to look at.
 * @example const bar = widgets.intProgress({ max: 10 }); bar.value = 11; bar.value // 10
 */
export function intProgress(options: ProgressOptions = {}): ValueWidget<number> {
  return new ValueWidget(SPECS.intProgress, options);
}

/**
 * A bar over numbers, for the reader to look at.
 * @example widgets.floatProgress({ value: 0.25, max: 1 }).value // 0.25
 */
export function floatProgress(options: ProgressOptions = {}): ValueWidget<number> {
  return new ValueWidget(SPECS.floatProgress, options);
}

/** A button. */
export class Button extends Control {
  constructor(options: ButtonOptions) {
    super(SPECS.button, options);
  }

  /** Calls `listener` at each click. @returns what ends that. */
  onClick(listener: () => void): () => void {
    return this.onMessage(({ event }) => {
      if (event === "click") listener();
    });
  }

  /** As if the reader had clicked. */
  click(): void {
    this.dispatch({ event: "click" });
  }
}

/**
 * A button; `onClick` says what it does. What that prints appears below the cell.
 * @example let clicks = 0; const more = widgets.button({ description: "More" }); more.onClick(() => clicks++); more.click(); clicks // 1
 */
export function button(options: ButtonOptions = {}): Button {
  return new Button(options);
}

/**
 * A box to tick.
 * @example widgets.checkbox({ description: "log scale" }).value // false
 */
export function checkbox(options: BooleanOptions = {}): ValueWidget<boolean> {
  return new ValueWidget(SPECS.checkbox, options);
}

/**
 * A button that stays down.
 * @example widgets.toggleButton({ value: true }).value // true
 */
export function toggleButton(options: BooleanOptions & ButtonOptions = {}): ValueWidget<boolean> {
  return new ValueWidget(SPECS.toggleButton, options);
}

/**
 * A line of text.
 * @example widgets.text({ value: "relu", description: "activation" }).value // "relu"
 */
export function textLine(options: TextOptions = {}): ValueWidget<string> {
  return new ValueWidget(SPECS.text, options);
}

/**
 * Several lines of text.
 * @example widgets.textarea({ placeholder: "notes" }).value // ""
 */
export function textarea(options: TextOptions & { readonly rows?: number } = {}): ValueWidget<string> {
  return new ValueWidget(SPECS.textarea, options);
}

/**
 * HTML, as it is.
 * @example widgets.html({ value: "<b>loss</b>" }).value // "<b>loss</b>"
 */
export function html(options: TextOptions = {}): ValueWidget<string> {
  return new ValueWidget(SPECS.html, options);
}

/**
 * A line of words.
 * @example widgets.label({ value: "idle" }).value // "idle"
 */
export function label(options: TextOptions = {}): ValueWidget<string> {
  return new ValueWidget(SPECS.label, options);
}

/**
 * A list that opens. Default value: the first option.
 * @example widgets.dropdown({ options: ["sgd", "adam"], value: "adam" }).value // "adam"
 */
export function dropdown<T>(options: SelectionOptions<T>): SelectionWidget<T> {
  return selectionOf(SPECS.dropdown, options);
}

/**
 * A list that is open.
 * @example widgets.select({ options: { small: 32, large: 256 } }).value // 32
 */
export function select<T>(options: SelectionOptions<T> & { readonly rows?: number }): SelectionWidget<T> {
  return selectionOf(SPECS.select, options);
}

/**
 * A list of which any number of options can be chosen.
 * @example widgets.selectMultiple({ options: ["a", "b", "c"], value: ["a", "c"] }).value // ["a", "c"]
 */
export function selectMultiple<T>(
  options: MultipleSelectionOptions<T> & { readonly rows?: number },
): MultipleSelectionWidget<T> {
  const { options: choices, value = [], ...rest } = options;
  return new MultipleSelectionWidget(SPECS.selectMultiple, pairs(choices), value, rest);
}

/**
 * Options of which one is marked.
 * @example widgets.radioButtons({ options: [1, 2, 4], value: 4 }).value // 4
 */
export function radioButtons<T>(options: SelectionOptions<T>): SelectionWidget<T> {
  return selectionOf(SPECS.radioButtons, options);
}

/**
 * Buttons of which one is down.
 * @example widgets.toggleButtons({ options: ["train", "test"] }).value // "train"
 */
export function toggleButtons<T>(options: SelectionOptions<T>): SelectionWidget<T> {
  return selectionOf(SPECS.toggleButtons, options);
}

export { textLine as text };

function selectionOf<T>(spec: ControlSpec, given: SelectionOptions<T>): SelectionWidget<T> {
  const { options, value, ...rest } = given;
  return new SelectionWidget(spec, pairs(options), value, rest);
}

function pairs<T>(choices: Choices<T>): (readonly [string, T])[] {
  if (Array.isArray(choices)) return (choices as readonly T[]).map((value) => [String(value), value]);
  return Object.entries(choices as Readonly<Record<string, T>>);
}

/** The value between the bounds. @throws RangeError when the bounds are the wrong way round */
function bounded(state: State, integer: boolean): State {
  const { min, max } = bounds(state);
  return { value: clamp(number(state.value, "value"), min, max, integer) };
}

function boundedRange(state: State, integer: boolean): State {
  const { min, max } = bounds(state);
  const quarter = (max - min) / 4;
  const value = (state.value ?? [min + quarter, max - quarter]) as readonly unknown[];
  if (!Array.isArray(value) || value.length !== 2)
    throw new TypeError(`value: expected two numbers, found ${String(value)}.`);
  const [low, high] = value.map((each) => clamp(number(each, "value"), min, max, integer)) as [
    number,
    number,
  ];
  if (low > high) throw new RangeError(`value: the lower end ${low} is above the upper end ${high}.`);
  return { value: [low, high] };
}

function bounds(state: State): { min: number; max: number } {
  const [min, max] = [number(state.min, "min"), number(state.max, "max")];
  if (min > max) throw new RangeError(`min ${min} is above max ${max}.`);
  return { min, max };
}

function number(value: unknown, name: string): number {
  if (typeof value !== "number" || Number.isNaN(value))
    throw new TypeError(`${name}: expected a number, found ${String(value)}.`);
  return value;
}

function clamp(value: number, min: number, max: number, integer: boolean): number {
  const inside = Math.min(max, Math.max(min, value));
  return integer ? Math.trunc(inside) : inside;
}
