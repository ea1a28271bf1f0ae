/** Names and literals that several renderings share. */
import type { DType } from "../../core/dtype.js";
import { readElements } from "../../runtime/dense.js";
import { formatElement } from "../data.js";
import type { Constant, GraphNode, Value } from "../graph.js";

/** Infix signs of ops. */
export const SIGNS: Readonly<Record<string, string>> = {
  ...{ add: "+", sub: "-", mul: "*", div: "/", pow: "**", remainder: "%", floorDivide: "//", matmul: "@" },
  ...{ less: "<", lessEqual: "<=", greater: ">", greaterEqual: ">=", equal: "==", notEqual: "!=" },
};

/** `f32`, `i64`, `bool`: LLVM's, MLIR's and JAX's short names. */
export function shortDType(dtype: DType, bool = "bool"): string {
  if (dtype === "bool") return bool;
  if (dtype === "bfloat16") return "bf16";
  return dtype.replace("float", "f").replace("uint", "u").replace("int", "i");
}

/** A constant in a few characters: its element, or its elements, or how many there are. */
export function literal({ value, data }: Constant): string {
  if (data.size > 8) return `<${data.size} elements>`;
  const elements = Array.from(readElements(data), (x) => formatElement(x, value.dtype));
  return value.shape.length === 0 ? elements[0] : `[${elements.join(", ")}]`;
}

/** As `literal`, but floats always with a point: `3.0`. */
export function pointed(constant: Constant): string {
  const text = literal(constant);
  const float = shortDType(constant.value.dtype).includes("f");
  return float ? text.replace(/-?\d+(?![\d.e])(?<![.e]\d*)/g, "$&.0") : text;
}

/** A parameter's name made fit for an identifier, unique among those given out. */
export class Names {
  private readonly names = new Map<Value, string>();
  private readonly taken = new Set<string>();
  private next: number;

  constructor(
    private readonly prefix = "t",
    first = 1,
  ) {
    this.next = first;
  }

  of(value: Value): string {
    const known = this.names.get(value);
    if (known !== undefined) return known;
    const name = value.name === null ? this.fresh() : this.unique(value.name.replace(/\W+/g, "_"));
    this.names.set(value, name);
    return name;
  }

  set(value: Value, name: string): void {
    this.names.set(value, name);
  }

  fresh(prefix = this.prefix): string {
    return this.unique(`${prefix}${prefix === this.prefix ? this.next++ : ""}`);
  }

  private unique(wanted: string): string {
    let name = wanted;
    for (let i = 1; this.taken.has(name); i++) name = `${wanted}_${i}`;
    this.taken.add(name);
    return name;
  }
}

/** Attributes that are plain data, as `key=value` parts. */
export function plainAttrs(node: Pick<GraphNode, "attrs">): [key: string, value: unknown][] {
  const isPlain = (value: unknown): boolean =>
    Array.isArray(value)
      ? value.every(isPlain)
      : value === null || ["number", "string", "boolean"].includes(typeof value);
  return Object.entries(node.attrs).filter(([, value]) => value !== undefined && isPlain(value));
}
