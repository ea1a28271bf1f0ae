/** A function with a control for each of its arguments; it is called anew when one changes. */
import { Box } from "./boxes.js";
import { checkbox, dropdown, floatSlider, intSlider, text } from "./controls.js";
import { OutputArea } from "./output.js";
import { ValueWidget } from "./value.js";
import type { Widget } from "./widget.js";

/**
 * What stands for a control: a value widget itself; a boolean (a box to tick); a string (a line of text); a number
 * (a slider around it); `[min, max]` or `[min, max, step]` (a slider); other arrays, and objects by label (a list).
 */
export type ControlLike =
  | ValueWidget<unknown>
  | boolean
  | string
  | number
  | readonly [min: number, max: number, step?: number]
  | readonly string[]
  | Readonly<Record<string, unknown>>;

/** The type of the argument that a control gives. */
export type ValueOf<C> =
  C extends ValueWidget<infer T>
    ? T
    : C extends boolean
      ? boolean
      : C extends number
        ? number
        : C extends string
          ? string
          : C extends readonly (infer T)[]
            ? T extends number
              ? number
              : T
            : C extends Readonly<Record<string, infer T>>
              ? T
              : never;

export type Controls = Readonly<Record<string, ControlLike>>;

/** The controls, above what the function shows. */
export class Interaction<C extends Controls> extends Box {
  readonly controls: { readonly [K in keyof C]: ValueWidget<ValueOf<C[K]>> };
  readonly output: OutputArea;
  /** What the function returned last. */
  result: unknown;
  private running = false;
  private again = false;

  constructor(
    private readonly body: (values: { [K in keyof C]: ValueOf<C[K]> }) => unknown,
    controls: C,
  ) {
    const made = Object.entries(controls).map(([name, like]) => [name, controlOf(name, like)] as const);
    const area = new OutputArea();
    super("VBox", [...made.map(([, widget]) => widget as Widget), area]);
    this.controls = Object.fromEntries(made) as unknown as Interaction<C>["controls"];
    this.output = area;
    for (const [, widget] of made) widget.observe(() => this.update());
    this.update();
  }

  /** The arguments now. */
  get values(): { [K in keyof C]: ValueOf<C[K]> } {
    const entries = Object.entries(this.controls).map(([name, widget]) => [
      name,
      (widget as ValueWidget<unknown>).value,
    ]);
    return Object.fromEntries(entries) as { [K in keyof C]: ValueOf<C[K]> };
  }

  /** Calls the function anew. While an asynchronous one is under way it waits; of several changes the last counts. */
  update(): void {
    if (this.running) {
      this.again = true;
      return;
    }
    this.again = false;
    this.output.clear(true);
    const returned = this.output.capture(() => {
      const value = this.body(this.values);
      return value instanceof Promise ? value.then((settled) => this.shown(settled)) : this.shown(value);
    });
    if (returned instanceof Promise) {
      this.running = true;
      void returned.finally(() => this.over());
    } else this.over();
  }

  private over(): void {
    this.running = false;
    this.output.settle();
    if (this.again) this.update();
  }

  private shown(value: unknown): void {
    this.result = value;
    const { display } = globalThis as { display?: (value: unknown) => void };
    if (value !== undefined) display?.(value);
  }
}

/**
 * Calls `body` with the values of the controls, now and whenever the reader moves one, and shows what it prints and
 * returns below them: a plot that is returned is redrawn. The value is a widget, to be shown like any other.
 * @example
 * widgets.interact(({ x, square }) => (square ? x ** 2 : x), { x: [0, 10], square: true }).result // 25
 * widgets.interact(({ n }) => n * 2, { n: widgets.intSlider({ value: 3 }) }).result // 6
 */
export function interact<const C extends Controls>(
  body: (values: { [K in keyof C]: ValueOf<C[K]> }) => unknown,
  controls: C,
): Interaction<C> {
  return new Interaction(body, controls);
}

function controlOf(name: string, like: ControlLike): ValueWidget<unknown> {
  const description = name;
  if (like instanceof ValueWidget) return like as ValueWidget<unknown>;
  switch (typeof like) {
    case "boolean":
      return checkbox({ description, value: like }) as ValueWidget<unknown>;
    case "string":
      return text({ description, value: like }) as ValueWidget<unknown>;
    case "number":
      return slider(description, ...around(like), like);
  }
  if (Array.isArray(like) && isRange(like)) {
    const [min, max, step] = like;
    return slider(description, min, max, step);
  }
  const options = like as readonly unknown[] | Readonly<Record<string, unknown>>;
  if (Object.keys(options).length === 0)
    throw new TypeError(
      `interact: there is no control for "${name}". Expected a widget, boolean, string, number, [min, max, step?], options or { label: option }.`,
    );
  return dropdown({ description, options });
}

function isRange(like: readonly unknown[]): like is readonly [number, number, number?] {
  return (like.length === 2 || like.length === 3) && like.every((each) => typeof each === "number");
}

/** As in ipywidgets: from `-v` to `3 v`, or from 0 to 1. */
function around(value: number): [min: number, max: number, step: undefined] {
  if (value === 0) return [0, 1, undefined];
  return value > 0 ? [-value, 3 * value, undefined] : [3 * value, -value, undefined];
}

/** Over whole numbers where bounds and step are whole. Without a value it begins in the middle. */
function slider(
  description: string,
  min: number,
  max: number,
  step: number | undefined,
  value?: number,
): ValueWidget<unknown> {
  const integer = [min, max, step ?? 1, value ?? 0].every(Number.isInteger);
  const middle = min + (max - min) / 2;
  const made = integer
    ? intSlider({ description, min, max, step: step ?? 1, value: value ?? Math.floor(middle) })
    : floatSlider({ description, min, max, step: step ?? (max - min) / 100, value: value ?? middle });
  return made as ValueWidget<unknown>;
}
