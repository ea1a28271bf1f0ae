/** complete_request, inspect_request and is_complete_request: the language service speaks Jupyter. */
import { readable } from "../../compile/cell.js";
import { readCell } from "../../compile/magics.js";
import { type Handler, numberField, type Services, stringField } from "../context.js";
import { toPoints, toUnits } from "../cursor.js";

/** Most cells have no magic, and a kernel starts sooner without the table of them. */
function magicsIn(code: string): Promise<typeof import("./magics.js")> | undefined {
  return /^[%!]/m.test(code) ? import("./magics.js") : undefined;
}

/** What TypeScript is asked about: the cell without its magics. */
async function withoutMagics(code: string, kernel: Services): Promise<string> {
  return readCell(code, (name) => kernel.executor.isKnown(name)).then(
    ({ text }) => text,
    () => code,
  );
}

export const complete: Handler = async ({ content }, kernel) => {
  const code = readable(stringField(content, "code"));
  const offset = toUnits(code, numberField(content, "cursor_pos", code.length));
  const { items, start, end } =
    (await magicsIn(code))?.completeMagic(code, offset) ??
    (await kernel.types.complete(await withoutMagics(code, kernel), offset));
  const cursorStart = toPoints(code, start);
  const cursorEnd = toPoints(code, end);
  return {
    status: "ok",
    matches: items.map((item) => item.text),
    cursor_start: cursorStart,
    cursor_end: cursorEnd,
    metadata: {
      _jupyter_types_experimental: items.map((item) => ({ start: cursorStart, end: cursorEnd, ...item })),
    },
  };
};

export const inspect: Handler = async ({ content }, kernel) => {
  const code = readable(stringField(content, "code"));
  const offset = toUnits(code, numberField(content, "cursor_pos", code.length));
  const detail = numberField(content, "detail_level", 0);
  const usage = (await magicsIn(code))?.inspectMagic(code, offset);
  if (usage !== undefined) return { status: "ok", found: true, data: { "text/plain": usage }, metadata: {} };
  const found = await kernel.types.inspect(await withoutMagics(code, kernel), offset);
  if (!found) return { status: "ok", found: false, data: {}, metadata: {} };
  const source = detail > 0 && found.source ? found.source : undefined;
  const plain = [found.signature, found.documentation, source].filter(Boolean).join("\n\n");
  const fence = (text: string) => `\`\`\`typescript\n${text}\n\`\`\``;
  const markdown = [fence(found.signature), found.documentation, source && fence(source)]
    .filter(Boolean)
    .join("\n\n");
  return {
    status: "ok",
    found: true,
    data: { "text/plain": plain, "text/markdown": markdown },
    metadata: {},
  };
};

export const isComplete: Handler = async ({ content }, kernel) => {
  const code = readable(stringField(content, "code"));
  const found = (await magicsIn(code))?.magicCompleteness(code, (name) => kernel.executor.isKnown(name));
  const text = (await found) ?? code;
  return { ...(typeof text === "string" ? await kernel.types.isComplete(text) : text) };
};
