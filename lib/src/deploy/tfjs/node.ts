/** A node of a TensorFlow graph as TF.js writes it: op, inputs, and attributes that carry their type. */
import type { DType } from "../../core/dtype.js";
import type { Tensor } from "../../core/tensor.js";
import { concrete } from "../../ops/read.js";
import type { Padding, Pair } from "./images.js";
import { isJson, type Json, shown, TfjsError } from "./weights.js";

const DTYPES: Readonly<Record<string, DType>> = {
  ...{
    DT_FLOAT: "float32",
    DT_INT32: "int32",
    DT_BOOL: "bool",
    DT_INT64: "int32",
    DT_HALF: "float32",
    DT_UINT8: "int32",
  },
  ...{ "1": "float32", "3": "int32", "10": "bool", "9": "int32" },
};

export class GraphNode {
  readonly where: string;

  constructor(
    readonly op: string,
    readonly name: string,
    private readonly attributes: Json,
    readonly inputs: readonly Tensor[],
    where: string,
  ) {
    this.where = `${where}: node ${shown(name)} (${shown(op).slice(1, -1)})`;
  }

  input(i: number): Tensor {
    return this.inputs[i] ?? this.fail(`input ${i} is missing`);
  }

  /** Numbers of an input that must be known before the model runs. */
  numbers(i: number): number[] {
    const values = concrete(this.input(i));
    if (!values) return this.fail(`its input ${i} depends on the model's input values, and decides a shape`);
    return Array.from(values.toTypedArray());
  }

  int(key: string, otherwise: number): number {
    const found = this.value(key, "i");
    return found === undefined ? otherwise : Number(found);
  }

  float(key: string, otherwise: number): number {
    const found = this.value(key, "f");
    return found === undefined ? otherwise : Number(found);
  }

  flag(key: string): boolean {
    return this.value(key, "b") === true;
  }

  /** Texts are base64. */
  text(key: string, otherwise: string): string {
    const found = this.value(key, "s");
    return typeof found === "string" ? Buffer.from(found, "base64").toString("utf8") : otherwise;
  }

  texts(key: string): string[] {
    return this.list(key, "s").map((text) => Buffer.from(String(text), "base64").toString("utf8"));
  }

  ints(key: string): number[] {
    return this.list(key, "i").map(Number);
  }

  dtype(key: string): DType {
    const found = this.value(key, "type");
    return DTYPES[String(found)] ?? this.fail(`dtype ${shown(found)}`);
  }

  /** Of (batch, height, width, channels) those of height and width. */
  window(key: string): Pair {
    const all = this.ints(key);
    if (all.length !== 4 || all[0] !== 1 || all[3] !== 1 || !all.every((n) => Number.isInteger(n) && n >= 1))
      return all.length === 0 ? [1, 1] : this.fail(`${key} is [${all.slice(0, 8)}]`);
    return [all[1], all[2]];
  }

  get padding(): Padding {
    const how = this.text("padding", "VALID");
    if (how === "SAME") return "same";
    if (how === "VALID") return "valid";
    const pads = this.ints("explicit_paddings");
    if (how !== "EXPLICIT" || pads.length !== 8) return this.fail(`padding is ${shown(how)}`);
    return [
      [pads[2], pads[3]],
      [pads[4], pads[5]],
    ];
  }

  channelsLast(): void {
    if (this.text("data_format", "NHWC") !== "NHWC") this.fail("channels come first; NHWC is supported");
  }

  axis(given: number, rank: number): number {
    const axis = given < 0 ? given + rank : given;
    return axis >= 0 && axis < rank ? axis : this.fail(`axis ${given} is outside of ${rank} axes`);
  }

  fail(problem: string): never {
    throw new TfjsError(`${this.where}: ${problem}`);
  }

  private value(key: string, kind: string): unknown {
    const found = this.attributes[key];
    return isJson(found) ? found[kind] : undefined;
  }

  private list(key: string, kind: string): unknown[] {
    const found = this.value(key, "list");
    const list = isJson(found) ? found[kind] : undefined;
    return Array.isArray(list) ? list : [];
  }
}

export interface NodeRow {
  readonly op: string;
  readonly run: (node: GraphNode) => Tensor | readonly Tensor[];
}
