/** Completion, inspection and completeness of what magics add to TypeScript. */

import { readCell } from "../../compile/magics.js";
import { helpText, MAGICS, prefixed } from "../../magics/table.js";
import type { Completeness, Completions } from "../../types/service.js";

/** What can stand at the cursor, where it stands in a magic; undefined where it is TypeScript's. */
export function completeMagic(text: string, offset: number): Completions | undefined {
  const start = text.lastIndexOf("\n", offset - 1) + 1;
  const line = text.slice(start, offset);
  if (inTextBody(text, start)) return { items: [], start: offset, end: offset };
  if (line.startsWith("!")) return undefined;
  const word = /^(%{1,2})(\w*)$/.exec(line);
  if (word) {
    const cell = word[1] === "%%";
    const forms = MAGICS.filter(
      ({ form, name }) => name !== "!" && (form === "both" || (form === "cell") === cell),
    );
    const items = forms
      .filter(({ name }) => name.startsWith(word[2]!))
      .map((magic) => ({ text: word[1] + magic.name, type: "magic", signature: magic.summary }));
    return { items, start, end: offset };
  }
  const argument = /^%{1,2}(\w+)\s+(?:.*\s)?(\S*)$/.exec(line);
  const magic = argument && MAGICS.find(({ name }) => name === argument[1]);
  if (!magic || magic.takes === "code") return undefined;
  const words = magic.name === "help" ? MAGICS.map(({ name }) => name) : (magic.words ?? []);
  const typed = argument[2]!;
  const items = words.filter((each) => each.startsWith(typed)).map((each) => ({ text: each, type: "magic" }));
  return { items, start: offset - typed.length, end: offset };
}

/** The usage of the magic that the cursor stands on. */
export function inspectMagic(text: string, offset: number): string | undefined {
  const start = text.lastIndexOf("\n", offset - 1) + 1;
  const found = /^(?:%{1,2}(\w+)|!)/.exec(text.slice(start));
  if (!found || offset > start + found[0].length) return undefined;
  const magic = MAGICS.find(({ name }) => name === (found[1] ?? "!"));
  return magic && `${prefixed(magic)}\n${helpText(magic)}`;
}

/**
 * A cell magic is complete after a blank line, as in other consoles.
 * @returns what it is, or the text that TypeScript is asked about.
 */
export async function magicCompleteness(
  text: string,
  isKnown: (name: string) => boolean,
): Promise<Completeness | string> {
  if (text.startsWith("%%")) {
    const ended = /\n[^\S\n]*$/.test(text) && text.trim().includes("\n");
    return ended ? { status: "complete" } : { status: "incomplete", indent: "" };
  }
  return readCell(text, isKnown).then(
    (cell) => cell.text,
    () => ({ status: "invalid" }),
  );
}

/** Below `%%bash` nothing is TypeScript. */
function inTextBody(text: string, start: number): boolean {
  const name = /^%%(\w+)/.exec(text)?.[1];
  return start > 0 && MAGICS.some((magic) => magic.name === name && magic.takes === "text");
}
