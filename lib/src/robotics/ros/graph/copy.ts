/**
 * Copies of messages. A subscription owns what it gets: it may change it, and the publisher may go on changing what it
 * published. So a message is copied once when it is published, and once more for each further receiver; the last one gets
 * the first copy. Copying is compiled from the message's definition, once per type.
 */
import type { FieldDefinition, MessageDefinition, MessageType } from "../interfaces/types.js";

export interface Codec {
  copy(message: unknown): unknown;
  /** About how many bytes it has. */
  size(message: unknown): number;
}

type Value = string | number | bigint | boolean;
type Values = NodeJS.TypedArray | readonly Value[];

const codecs = new WeakMap<MessageDefinition, Codec>();

export function codecOf(type: MessageType): Codec {
  let codec = codecs.get(type.definition);
  if (!codec) {
    codec = compile(type.definition, type.dependencies);
    codecs.set(type.definition, codec);
  }
  return codec;
}

function copyValues(values: Values): Values {
  if (Array.isArray(values)) return values.slice();
  if (Buffer.isBuffer(values)) return new Uint8Array(values); // a Buffer's own slice() would share its bytes
  return (values as NodeJS.TypedArray).slice();
}

function sizeOfValues(values: Values): number {
  if (ArrayBuffer.isView(values)) return values.byteLength;
  let size = 0;
  for (const value of values) size += typeof value === "string" ? 4 + value.length : 8;
  return size;
}

function compile(root: MessageDefinition, dependencies: ReadonlyMap<string, MessageDefinition>): Codec {
  const numbers = new Map<string, number>();
  const functions: string[] = [];

  const define = (definition: MessageDefinition): number => {
    const known = numbers.get(definition.name);
    if (known !== undefined) return known;
    const number = numbers.size;
    numbers.set(definition.name, number);
    const copies: string[] = [];
    let fixed = 0;
    const sizes: string[] = [];
    for (const field of definition.fields) {
      const { copy, size } = ofField(field);
      copies.push(`${JSON.stringify(field.name)}: ${copy}`);
      if (typeof size === "number") fixed += size;
      else sizes.push(size);
    }
    functions.push(
      `function copy${number}(m) { return { ${copies.join(", ")} }; }`,
      `function size${number}(m) { return ${[fixed, ...sizes].join(" + ")}; }`,
    );
    return number;
  };

  const ofField = (field: FieldDefinition): { copy: string; size: string | number } => {
    const value = `m[${JSON.stringify(field.name)}]`;
    if (!field.isMessage) {
      if (field.array) return { copy: `copyValues(${value})`, size: `sizeOfValues(${value})` };
      if (field.type === "string" || field.type === "wstring")
        return { copy: value, size: `4 + ${value}.length` };
      return { copy: value, size: 8 };
    }
    const nested = dependencies.get(field.type);
    if (!nested)
      throw new TypeError(`${root.name}: the definition of ${field.type} is not among its dependencies`);
    const number = define(nested);
    if (!field.array) return { copy: `copy${number}(${value})`, size: `size${number}(${value})` };
    return {
      copy: `Array.from(${value}, copy${number})`,
      size: `${value}.reduce((sum, m) => sum + size${number}(m), 4)`,
    };
  };

  const number = define(root);
  const source = `"use strict"; ${functions.join("\n")}\nreturn { copy: copy${number}, size: size${number} };`;
  return new Function("copyValues", "sizeOfValues", source)(copyValues, sizeOfValues) as Codec;
}
