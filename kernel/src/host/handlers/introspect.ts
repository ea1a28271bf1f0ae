/** complete_request, inspect_request and is_complete_request: the language service speaks Jupyter. */
import { readable } from "../../compile/cell.js";
import { type Handler, numberField, stringField } from "../context.js";
import { toPoints, toUnits } from "../cursor.js";

export const complete: Handler = async ({ content }, { types }) => {
  const code = readable(stringField(content, "code"));
  const offset = toUnits(code, numberField(content, "cursor_pos", code.length));
  const { items, start, end } = await types.complete(code, offset);
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

export const inspect: Handler = async ({ content }, { types }) => {
  const code = readable(stringField(content, "code"));
  const offset = toUnits(code, numberField(content, "cursor_pos", code.length));
  const detail = numberField(content, "detail_level", 0);
  const found = await types.inspect(code, offset);
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

export const isComplete: Handler = async ({ content }, { types }) => ({
  ...(await types.isComplete(readable(stringField(content, "code")))),
});
