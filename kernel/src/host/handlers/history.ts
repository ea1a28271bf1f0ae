/** history_request: the tail, a range of a session, or a search. */
import type { Json } from "../../protocol/message.js";
import { booleanField, type Handler, numberField, stringField } from "../context.js";
import type { Entry, History } from "../history.js";

export const history: Handler = ({ content, message }, { history, executor }) => {
  const entries = select(content, history, executor.shells.of(message)?.number);
  const output = booleanField(content, "output", false);
  return {
    status: "ok",
    history: entries.map(([session, line, input, result]) => [
      session,
      line,
      output ? [input, result ?? null] : input,
    ]),
  };
};

function select(content: Json, store: History, shell?: number): Entry[] {
  const count = typeof content.n === "number" ? content.n : undefined;
  switch (content.hist_access_type) {
    case "range":
      return store.range(
        numberField(content, "session", 0),
        numberField(content, "start", 0),
        typeof content.stop === "number" ? content.stop : undefined,
        shell,
      );
    case "search":
      return store.search(
        stringField(content, "pattern") || "*",
        count,
        booleanField(content, "unique", false),
      );
    default:
      return store.tail(count ?? 10);
  }
}
