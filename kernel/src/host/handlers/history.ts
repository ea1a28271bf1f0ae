/** history_request: the tail, a range of a session, or a search. */
import { booleanField, type Handler, numberField, stringField } from "../context.js";

export const history: Handler = ({ content }, kernel) => {
  const entries = select(content, kernel.history);
  // The output of old cells is not kept; clients that ask for it get the pair that the protocol wants.
  const output = booleanField(content, "output", false);
  return {
    status: "ok",
    history: entries.map(([session, line, input]) => [session, line, output ? [input, null] : input]),
  };
};

function select(content: Parameters<typeof stringField>[0], store: Parameters<Handler>[1]["history"]) {
  const count = typeof content.n === "number" ? content.n : undefined;
  switch (content.hist_access_type) {
    case "range":
      return store.range(
        numberField(content, "session", 0),
        numberField(content, "start", 0),
        typeof content.stop === "number" ? content.stop : undefined,
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
