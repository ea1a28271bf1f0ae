/** JSON Lines: a JSON value per line (jsonlines.org), read as they come. */
import { createWriteStream } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { ValueError } from "../../core/errors.js";
import { type ByteSource, sourceName } from "./bytes/byte-stream.js";
import { type TextOptions, textChunks } from "./bytes/text-stream.js";

export interface BadLine {
  /** From 1. */
  readonly line: number;
  readonly text: string;
  readonly error: ValueError;
}

export interface JsonLinesOptions extends Omit<TextOptions, "encoding"> {
  /** What becomes of a line that is no JSON: an error, or left out, after a function has been told. Default "throw". */
  readonly badLine?: "throw" | "skip" | ((bad: BadLine) => void);
  /** A longer line is an error. Default 64 MiB of characters. */
  readonly maxLine?: number;
}

/**
 * Values of a JSON Lines file; empty lines are passed over.
 * @example
 * const ids: unknown[] = [];
 * for await (const value of data.readJsonLines(Buffer.from('{"id": 1}\n\n{"id": 2}\n'))) ids.push((value as { id: number }).id);
 * ids // [1, 2]
 * @throws ValueError naming line and column of what is no JSON.
 */
export async function* readJsonLines(
  source: ByteSource,
  { badLine = "throw", maxLine = 2 ** 26, compression }: JsonLinesOptions = {},
): AsyncGenerator<unknown> {
  const name = sourceName(source);
  let line = 0;
  for await (const text of lines(source, { compression }, maxLine)) {
    line++;
    if (/^\s*$/.test(text)) continue;
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (cause) {
      const error = new ValueError(`${name}: line ${line}: ${fault(text, cause as Error)}`, { cause });
      if (badLine === "throw") throw error;
      if (badLine !== "skip") badLine({ line, text, error });
      continue;
    }
    yield value;
  }
}

/** V8 says where in some messages, and quotes the text in others. */
function fault(text: string, { message }: Error): string {
  const at = /position (\d+)/.exec(message)?.[1];
  const shown = text.length > 60 ? `${text.slice(0, 60)}…` : text;
  if (at !== undefined) return `no JSON from column ${Number(at) + 1}: ${shown}`;
  return /end of JSON/.test(message) ? `JSON without its end: ${shown}` : `no JSON: ${shown}`;
}

/** Lines without their ends. */
async function* lines(source: ByteSource, options: TextOptions, maxLine: number): AsyncGenerator<string> {
  let held: string[] = []; // parts of a line whose end has not come
  let [size, count] = [0, 0];
  const check = (more: number): void => {
    if (size + more > maxLine)
      throw new ValueError(
        `${sourceName(source)}: line ${count + 1} has more than ${maxLine} characters; is this JSON Lines?`,
      );
  };
  for await (const text of textChunks(source, options)) {
    let from = 0;
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", from)) {
      check(end - from);
      const last = text.slice(from, end);
      yield held.length === 0 ? last : held.join("") + last;
      held = [];
      size = 0;
      count++;
      from = end + 1;
    }
    check(text.length - from);
    if (from < text.length) held.push(text.slice(from));
    size += text.length - from;
  }
  if (size > 0) yield held.join("");
}

/**
 * Writes values, one a line. @returns how many
 * @example await data.writeJsonLines("points.jsonl", [{ x: 1 }, { x: 2 }]) // 2
 * @throws ValueError for a value that JSON can't hold (undefined, a function).
 */
export async function writeJsonLines(
  path: string,
  values: Iterable<unknown> | AsyncIterable<unknown>,
): Promise<number> {
  let count = 0;
  const texts = async function* (): AsyncGenerator<string> {
    for await (const value of values) {
      const text: unknown = JSON.stringify(value);
      if (typeof text !== "string")
        throw new ValueError(
          `writeJsonLines: value ${count} is of type ${typeof value}, which JSON can't hold`,
        );
      count++;
      yield `${text}\n`;
    }
  };
  await pipeline(Readable.from(texts(), { objectMode: false }), createWriteStream(path));
  return count;
}
