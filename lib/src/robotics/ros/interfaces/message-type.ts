/**
 * From a parsed message to what makes messages. Each type gets a function of its own, written as JavaScript source
 * and compiled once: fields are read by name and every message of a type has one hidden class.
 */
import { checks, FieldProblem, TYPED_ARRAYS } from "./check.js";
import { INTEGER_RANGE, InterfaceError } from "./parse.js";
import type { FieldDefinition, MessageDefinition, MessageType } from "./types.js";

type Make = (given: unknown) => unknown;

/** What makes the message inside another: problems keep their path for the outermost to tell. */
const makers = new WeakMap<MessageType, Make>();

/**
 * @param resolve the type of a nested message by its full name
 * @throws {InterfaceError} where a nested message is not known
 */
export function makeMessageType(
  definition: MessageDefinition,
  resolve: (name: string) => MessageType | undefined,
): MessageType<never> {
  const nested = new Map<string, MessageType>();
  const dependencies = new Map<string, MessageDefinition>([[definition.name, definition]]);
  for (const field of definition.fields) {
    if (!field.isMessage || nested.has(field.type)) continue;
    const type = resolve(field.type);
    if (type === undefined) {
      throw new InterfaceError(
        `${definition.name}: field ${field.name} is a ${field.type}, which is not known: define it first with ros.defineMessage("${field.type}", …)`,
      );
    }
    nested.set(field.type, type);
    for (const [name, inner] of type.dependencies) dependencies.set(name, inner);
  }
  const make = compile(definition, nested);
  const type: MessageType<never> = {
    kind: "msg",
    name: definition.name,
    definition,
    dependencies,
    constants: Object.fromEntries(definition.constants.map((c) => [c.name, c.value])),
    create(fields) {
      try {
        return make(fields ?? {}) as never;
      } catch (error) {
        if (!(error instanceof FieldProblem)) throw error;
        const where = error.path === "" ? "" : `field ${error.path}: `;
        throw new TypeError(`${definition.name}: ${where}${error.message}`);
      }
    },
  };
  makers.set(type as MessageType, make);
  return type;
}

function compile(definition: MessageDefinition, nested: ReadonlyMap<string, MessageType>): Make {
  // Names of fields are letters, digits and underscores (the parser saw to it); all else comes in as values.
  const values: Record<string, unknown> = {
    ...checks,
    known: new Set(definition.fields.map((field) => field.name)),
    name: definition.name,
  };
  const reads = definition.fields.map((field, i) => {
    values[`default${i}`] = field.defaultValue;
    values[`array${i}`] = field.array;
    values[`nested${i}`] = field.isMessage ? makers.get(nested.get(field.type)!) : undefined;
    values[`elements${i}`] = TYPED_ARRAYS[field.type];
    const from = field.name === "constructor" ? `own(given, "constructor")` : `given.${field.name}`;
    return `at = "${field.name}"; v = ${from}; const f${i} = ${readField(field, i)};`;
  });
  const source = `"use strict";
return (given) => {
  if (typeof given !== "object" || given === null || Array.isArray(given)) return wrong(name, given);
  for (const key in given) if (!known.has(key)) return unknownField(name, key, known);
  let at = "", v;
  try {
    ${reads.join("\n    ")}
    return { ${definition.fields.map((field, i) => `${field.name}: f${i}`).join(", ")} };
  } catch (error) {
    throw inside(error, at);
  }
};`;
  return new Function(...Object.keys(values), source)(...Object.values(values)) as Make;
}

/** An expression for field `i`'s value, given as `v`. */
function readField(field: FieldDefinition, i: number): string {
  const { type, stringBound } = field;
  if (field.array) {
    if (field.isMessage) return `messages(v, nested${i}, array${i}, "${type}")`;
    if (TYPED_ARRAYS[type]) return `numbers(v, elements${i}, "${type}", array${i}, default${i})`;
    return `plain(v, "${type}", array${i}, default${i}, ${stringBound})`;
  }
  if (field.isMessage) return `nested${i}(v === undefined ? {} : v)`;
  return `v === undefined ? ${field.defaultValue === undefined ? zero(type) : `default${i}`} : ${readScalar(type, stringBound)}`;
}

function zero(type: string): string {
  if (type === "bool") return "false";
  if (type === "string" || type === "wstring") return `""`;
  return type === "int64" || type === "uint64" ? "0n" : "0";
}

function readScalar(type: string, bound?: number): string {
  const wrong = `wrong("${type}", v)`;
  switch (type) {
    case "bool":
      return `v === true || v === false ? v : ${wrong}`;
    case "float64":
      return `typeof v === "number" ? v : ${wrong}`;
    case "float32":
      return "float32(v)";
    case "string":
    case "wstring":
      return bound === undefined ? `typeof v === "string" ? v : ${wrong}` : `text(v, "${type}", ${bound})`;
    case "int64":
    case "uint64":
      return `bigInteger(v, "${type}")`;
    case "uint32":
      return `(v >>> 0) === v ? v >>> 0 : ${wrong}`;
    case "int32":
      return `(v | 0) === v ? v | 0 : ${wrong}`;
    default: {
      const [low, high] = INTEGER_RANGE[type];
      return `(v | 0) === v && v >= ${low} && v <= ${high} ? v | 0 : ${wrong}`;
    }
  }
}
