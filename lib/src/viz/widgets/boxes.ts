/** Boxes that put widgets beside or below each other. */
import { layoutModel } from "./value.js";
import { Widget } from "./widget.js";

/** A box with widgets inside. */
export class Box extends Widget {
  constructor(model: "VBox" | "HBox", children: readonly Widget[], layout: object = {}) {
    super({ model }, { children, box_style: "", tabbable: null, tooltip: null, layout: layoutModel(layout) });
  }

  get children(): readonly Widget[] {
    return this.get("children") as readonly Widget[];
  }

  set children(children: readonly Widget[]) {
    this.set({ children });
  }

  override toString(): string {
    return `${super.toString()}[${this.children.map(String).join(", ")}]`;
  }
}

/**
 * Widgets below each other.
 * @example String(widgets.vbox([widgets.label({ value: "a" }), widgets.checkbox()])) // 'VBox[Label("a"), Checkbox(false)]'
 */
export function vbox(children: readonly Widget[], layout: Readonly<Record<string, string>> = {}): Box {
  return new Box("VBox", children, layout);
}

/**
 * Widgets beside each other.
 * @example widgets.hbox([widgets.button(), widgets.button()]).children.length // 2
 */
export function hbox(children: readonly Widget[], layout: Readonly<Record<string, string>> = {}): Box {
  return new Box("HBox", children, layout);
}
