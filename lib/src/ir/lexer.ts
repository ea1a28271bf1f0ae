/** Tokens of the text form of graphs. */
import { IRError } from "./graph.js";

export interface Token {
  readonly kind: "name" | "value" | "number" | "string" | "symbol" | "end";
  readonly text: string;
  readonly at: number;
}

const PATTERNS: readonly [Token["kind"] | "space", RegExp][] = [
  ["space", /(?:\s+|\/\/[^\n]*)/y],
  ["value", /%\d+/y],
  ["number", /-?(?:Infinity|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)/y],
  ["name", /[A-Za-z_$][\w$.-]*/y],
  ["string", /"(?:[^"\\\n]|\\.)*"/y],
  ["symbol", />=|[@(){}[\],:=<>*+]/y],
];

/** @throws IRError with line and column at the first character that starts no token. */
export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < text.length) {
    const found = PATTERNS.map(([kind, pattern]) => {
      pattern.lastIndex = at;
      return { kind, text: pattern.exec(text)?.[0] };
    }).find((token) => token.text !== undefined);
    if (!found || found.text === undefined)
      throw syntaxError(text, at, `${JSON.stringify(text[at])} starts nothing known`);
    if (found.kind !== "space") tokens.push({ kind: found.kind, text: found.text, at });
    at += found.text.length;
  }
  tokens.push({ kind: "end", text: "", at });
  return tokens;
}

/** An error that names the place in the text. */
export function syntaxError(text: string, at: number, message: string): IRError {
  const before = text.slice(0, at).split("\n");
  return new IRError(
    `graph text, line ${before.length}, column ${before[before.length - 1].length + 1}: ${message}`,
  );
}
