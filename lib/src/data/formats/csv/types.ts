/** Types of CSV columns: how text becomes values, and which type fits a column's text. */
import { ValueError } from "../../../core/errors.js";

export type CsvType = "integer" | "number" | "bigint" | "boolean" | "string";

/** Columns by name; a column that is not named is inferred. */
export type CsvSchema = Readonly<Record<string, CsvType>>;

export type CsvValue = number | bigint | boolean | string | null;

type ValueOf<T extends CsvType> = T extends "string"
  ? string
  : T extends "bigint"
    ? bigint | null
    : T extends "boolean"
      ? boolean | null
      : number | null;

/** A row: columns of the schema with their types, `null` where the text says that the value is missing. */
export type CsvRow<S extends CsvSchema> = { [K in keyof S]: ValueOf<S[K]> } & Record<string, CsvValue>;

interface TypeRow {
  /** For messages. */
  readonly name: string;
  readonly fits: (text: string) => boolean;
  readonly parse: (text: string) => CsvValue;
}

const NUMBER = /^[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|inf(?:inity)?|nan)$/i;
const DIGITS = /^[+-]?\d+$/;

function number(text: string): number {
  const value = Number(text);
  if (!Number.isNaN(value)) return value;
  if (/nan$/i.test(text)) return Number.NaN;
  return text.startsWith("-") ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}

export const CSV_TYPES: Readonly<Record<CsvType, TypeRow>> = {
  boolean: {
    name: "true or false",
    fits: (text) => /^(?:true|false)$/i.test(text),
    parse: (text) => text.length === 4,
  },
  integer: {
    name: "an integer up to 2⁵³",
    fits: (text) => DIGITS.test(text) && Number.isSafeInteger(Number(text)),
    parse: (text) => Number(text) + 0,
  },
  bigint: {
    name: "an integer",
    fits: (text) => DIGITS.test(text),
    parse: (text) => BigInt(text.replace("+", "")),
  },
  number: { name: "a number", fits: (text) => NUMBER.test(text), parse: number },
  string: { name: "text", fits: () => true, parse: (text) => text },
};

/** Narrowest first: the order in which inference tries them. */
const CANDIDATES = ["boolean", "integer", "bigint", "number", "string"] as const;

/** The narrowest type that all of a column's text fits; of a column without text, "string". */
export function inferType(texts: readonly string[]): CsvType {
  const type = texts.length === 0 ? "string" : CANDIDATES.find((name) => texts.every(CSV_TYPES[name].fits));
  return type ?? "string";
}

/** @throws ValueError for a type that is none. */
export function checkCsvSchema(schema: CsvSchema, where: string): void {
  for (const [name, type] of Object.entries(schema))
    if (!Object.hasOwn(CSV_TYPES, type))
      throw new ValueError(
        `${where}: column ${name} has the type ${JSON.stringify(type)}; known: ${Object.keys(CSV_TYPES).join(", ")}`,
      );
}
