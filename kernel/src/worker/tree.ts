/**
 * An object as a tree that opens and closes, as a browser's inspector shows it: HTML alone, so it stays in a saved
 * notebook. Nothing of the value runs: getters are named, not called, and proxies are not asked.
 */
import { inspect, types } from "node:util";
import { escapeHtml } from "./table.js";

const MAX_DEPTH = 8;
const MAX_CHILDREN = 100;
const MAX_NODES = 1_000;
const MAX_LEAF = 200;
/** Smaller trees are open. */
const OPEN_NODES = 40;

interface Node {
  label: string;
  /** What the line says of the value. */
  text: string;
  children: Node[];
}

type Entry = [label: string, value: unknown];

/** Values of which a line of text says everything, or a display of their own shows more. */
export function hasTree(value: unknown): value is object {
  if (typeof value !== "object" || value === null || types.isProxy(value)) return false;
  return !(
    value instanceof Date ||
    value instanceof RegExp ||
    value instanceof Error ||
    value instanceof Promise ||
    value instanceof WeakMap ||
    value instanceof WeakSet ||
    types.isBoxedPrimitive(value) ||
    ArrayBuffer.isView(value) ||
    types.isAnyArrayBuffer(value)
  );
}

/** Whether there is anything to open below its first level. */
export function holdsObjects(value: object): boolean {
  return value instanceof Map || value instanceof Set || entriesOf(value).some(([, item]) => hasTree(item));
}

export function treeHtml(value: object): string {
  const count = { nodes: 0, cut: false };
  const root = build("", value, [], count);
  const note = count.cut ? `<div>… truncated: ${count.nodes} entries shown</div>` : "";
  const markup = markupOf(root, count.nodes <= OPEN_NODES, true);
  return `<div style="font-family:monospace;line-height:1.35;white-space:pre-wrap">${markup}${note}</div>`;
}

function build(
  label: string,
  value: unknown,
  above: readonly object[],
  count: { nodes: number; cut: boolean },
): Node {
  count.nodes++;
  if (!hasTree(value)) return { label, text: leaf(value), children: [] };
  if (above.includes(value)) return { label, text: "[Circular]", children: [] };
  const entries = entriesOf(value);
  const node: Node = { label, text: heading(value, entries.length), children: [] };
  if (entries.length === 0) return node;
  if (above.length >= MAX_DEPTH) {
    count.cut = true;
    return node;
  }
  for (const [name, child] of entries.slice(0, MAX_CHILDREN)) {
    if (count.nodes >= MAX_NODES) {
      count.cut = true;
      break;
    }
    node.children.push(build(name, child, [...above, value], count));
  }
  const rest = entries.length - node.children.length;
  if (rest > 0) node.children.push({ label: "", text: `… truncated: ${rest} more`, children: [] });
  return node;
}

function entriesOf(value: object): Entry[] {
  const own: Entry[] = [];
  if (value instanceof Map) own.push(...[...value].map(([key, item]): Entry => [`${leaf(key)} ⇒`, item]));
  else if (value instanceof Set) own.push(...[...value].map((item): Entry => ["", item]));
  for (const key of Reflect.ownKeys(value)) {
    const descriptor = Object.getOwnPropertyDescriptor(value, key)!;
    if (!descriptor.enumerable) continue;
    const name = `${typeof key === "symbol" ? `[${String(key)}]` : key}:`;
    own.push([name, "value" in descriptor ? descriptor.value : GETTER]);
  }
  return own;
}

const GETTER = Symbol("getter");

function heading(value: object, size: number): string {
  if (Array.isArray(value)) return `Array(${value.length})`;
  if (value instanceof Map || value instanceof Set) return `${className(value)}(${value.size})`;
  return size === 0 ? `${className(value)} {}` : className(value);
}

function className(value: object): string {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === null) return "[Object: null prototype]";
  const made = Object.getOwnPropertyDescriptor(prototype, "constructor")?.value as
    | { name?: unknown }
    | undefined;
  return typeof made?.name === "string" && made.name !== "" ? made.name : "Object";
}

function leaf(value: unknown): string {
  if (value === GETTER) return "(getter)";
  const text = inspect(value, {
    depth: 0,
    breakLength: Infinity,
    maxStringLength: MAX_LEAF,
    maxArrayLength: 8,
  });
  const line = text.split("\n")[0]!;
  return line.length > MAX_LEAF ? `${line.slice(0, MAX_LEAF)}… truncated` : line;
}

const MAX_PREVIEW = 60;

/** What a closed line tells of its inside. */
function preview({ children }: Node): string {
  const text = children.map(({ label, text: value }) => [label, value].filter(Boolean).join(" ")).join(", ");
  const cut = text.length > MAX_PREVIEW ? `${text.slice(0, MAX_PREVIEW)}…` : text;
  return ` <span style="opacity:.5">${escapeHtml(cut)}</span>`;
}

function markupOf(node: Node, all: boolean, open = all): string {
  const label = node.label ? `<span style="opacity:.7">${escapeHtml(node.label)}</span> ` : "";
  const closed = node.children.length > 0 && !open;
  const line = `${label}${escapeHtml(node.text)}${closed ? preview(node) : ""}`;
  if (node.children.length === 0) return `<div style="padding-left:1.1em">${line}</div>`;
  const inside = node.children.map((child) => markupOf(child, all)).join("");
  return `<details${open ? " open" : ""}><summary>${line}</summary><div style="padding-left:1.1em">${inside}</div></details>`;
}
