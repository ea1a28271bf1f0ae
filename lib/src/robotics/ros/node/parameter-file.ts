/** Parameters for nodes from YAML files and `-p` arguments, read as ROS 2's rcl_yaml_param_parser reads them. */
import { readFileSync } from "node:fs";
import { isAlias, isMap, isScalar, isSeq, parseDocument, type Scalar, type Node as YamlNode } from "yaml";
import { RosArgumentError } from "./errors.js";
import { join, type NameOwner } from "./names.js";
import type { ParameterType, TypedValue } from "./parameter-value.js";

/** A value for a parameter of the nodes that `node` fits. */
export interface ParameterRule {
  /** A full node name, in which `*` stands for one part and `**` for any number of parts. */
  readonly node: string;
  readonly name: string;
  readonly value: TypedValue;
}

/**
 * `name:=value`, or `node:name:=value` for one node, which as in files is one without a namespace.
 * @throws RosArgumentError
 */
export function parseParameterRule(text: string): ParameterRule {
  const separator = text.indexOf(":=");
  if (separator <= 0) throw new RosArgumentError(`parameter "${text}": expected name:=value`);
  const left = text.slice(0, separator);
  const colon = left.indexOf(":");
  const node = colon < 0 ? "/**" : join("", left.slice(0, colon));
  const name = left.slice(colon + 1);
  if (name === "" || colon === 0) throw new RosArgumentError(`parameter "${text}": a name is missing`);
  const value = parseYaml(text.slice(separator + 2), `parameter "${text}"`);
  return { node, name, value: typedOf(value, `parameter "${text}"`) };
}

/** @throws RosArgumentError that names the file, if it can't be read or is no parameter file */
export function readParameterFile(path: string): ParameterRule[] {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new RosArgumentError(`parameter file ${path}: ${(error as Error).message}`);
  }
  return parseParameterFile(text, path);
}

const KEY = "ros__parameters";

/**
 * A parameter file: names of nodes and namespaces, then `ros__parameters`, then parameters.
 * @throws RosArgumentError that names `source` and place
 * @example
 * parseParameterFile("/robot:\n  base:\n    ros__parameters:\n      gains: { p: 1.5 }"); // gains.p of /robot/base
 */
export function parseParameterFile(text: string, source = "parameter file"): ParameterRule[] {
  const rules: ParameterRule[] = [];
  const entries = (node: YamlNode | null, where: string): [string, YamlNode | null][] => {
    if (!isMap(node)) throw new RosArgumentError(`${source}: ${where} is no mapping`);
    return node.items.map((pair) => [String((pair.key as Scalar).value), pair.value as YamlNode | null]);
  };
  const parameters = (node: YamlNode | null, prefix: string, owner: string): void => {
    for (const [key, value] of entries(node, `${owner} ${prefix || KEY}`)) {
      const name = prefix === "" ? key : `${prefix}.${key}`;
      if (isMap(value)) parameters(value, name, owner);
      else rules.push({ node: owner, name, value: typedOf(value, `${source}: ${owner} ${name}`) });
    }
  };
  const nodes = (node: YamlNode | null, prefix: string): void => {
    for (const [key, value] of entries(node, prefix || "the document")) {
      if (key === KEY) {
        if (prefix === "") throw new RosArgumentError(`${source}: ${KEY} needs a node's name above it`);
        parameters(value, "", prefix);
      } else nodes(value, key.startsWith("/") && prefix === "" ? key : join(prefix, key));
    }
  };
  const document = parseYaml(text, source);
  if (document !== null) nodes(document, "");
  return rules;
}

function parseYaml(text: string, source: string): YamlNode | null {
  // scalars as they stand: what is a number is ROS's to say
  const document = parseDocument(text, { schema: "failsafe", merge: false, uniqueKeys: true });
  const error = document.errors[0];
  if (error) throw new RosArgumentError(`${source}: ${error.message}`);
  return document.contents as YamlNode | null;
}

/** Values for a node, later rules winning. */
export function parametersFor(owner: NameOwner, rules: readonly ParameterRule[]): Map<string, TypedValue> {
  const full = join(owner.namespace, owner.name);
  const values = new Map<string, TypedValue>();
  for (const rule of rules) if (fits(rule.node, full)) values.set(rule.name, rule.value);
  return values;
}

function fits(pattern: string, name: string): boolean {
  const source = pattern
    .split("/")
    .slice(1)
    .map((part) =>
      part === "**" ? "(?:/[^/]+)*" : `/${part.replace(/[^*\w]/g, "\\$&").replaceAll("*", "[^/]*")}`,
    )
    .join("");
  return new RegExp(`^${source}$`).test(name);
}

function typedOf(node: YamlNode | null, where: string): TypedValue {
  if (isSeq(node)) return arrayOf(node.items as YamlNode[], where);
  if (isAlias(node)) throw new RosArgumentError(`${where}: aliases are not known to ROS`);
  if (!isScalar(node)) throw new RosArgumentError(`${where}: expected a value or a list of values`);
  return scalarOf(node, where);
}

function arrayOf(items: readonly YamlNode[], where: string): TypedValue {
  if (items.length === 0) throw new RosArgumentError(`${where}: an empty list has no type`);
  const values = items.map((item) => {
    if (!isScalar(item)) throw new RosArgumentError(`${where}: a list holds values only`);
    return scalarOf(item, where);
  });
  const types = new Set(values.map((value) => value.type));
  const [type, other] = types;
  if (other)
    throw new RosArgumentError(`${where}: a list holds values of one type, not ${type} and ${other}`);
  return { type: `${type}_array` as ParameterType, value: values.map((value) => value.value as string) };
}

const TRUE = /^(Y|y|yes|Yes|YES|true|True|TRUE|on|On|ON)$/;
const FALSE = /^(N|n|no|No|NO|false|False|FALSE|off|Off|OFF)$/;
/** As C reads it: 0x is hexadecimal, a leading 0 octal; 08 is neither, so a double. */
const INTEGER = /^[+-]?(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)$/;
const DOUBLE = /^[+-]?([0-9]+\.?[0-9]*([eE][+-]?[0-9]+)?|\.[0-9]+([eE][+-]?[0-9]+)?)$/;
const LARGEST = 2n ** 63n;

function scalarOf(scalar: Scalar, where: string): TypedValue {
  const text = String(scalar.value ?? "");
  const isQuoted = scalar.type !== undefined && scalar.type !== "PLAIN";
  if (!isQuoted && text === "") throw new RosArgumentError(`${where}: has no value`);
  if (isQuoted || scalar.tag === "tag:yaml.org,2002:str") return { type: "string", value: text };
  if (TRUE.test(text)) return { type: "bool", value: true };
  if (FALSE.test(text)) return { type: "bool", value: false };
  if (INTEGER.test(text)) {
    const digits = text.replace(/^[+-]/, "");
    const value =
      BigInt(/^0[0-7]+$/.test(digits) ? `0o${digits}` : digits) * (text.startsWith("-") ? -1n : 1n);
    if (value < LARGEST && value >= -LARGEST) return { type: "integer", value };
  }
  if (DOUBLE.test(text) && Number.isFinite(Number(text))) return { type: "double", value: Number(text) };
  if (/^[+-]?\.?(inf|Inf|INF)$/.test(text))
    return { type: "double", value: text.startsWith("-") ? -Infinity : Infinity };
  if (/^[+-]?\.?(nan|NaN|NAN)$/.test(text)) return { type: "double", value: Number.NaN };
  return { type: "string", value: text };
}
