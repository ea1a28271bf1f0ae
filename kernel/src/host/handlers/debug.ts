/** debug_request: its content is a DAP request, its reply's content the DAP response. */
import type { Handler } from "../context.js";

export const debug: Handler = async ({ content }, kernel) => {
  const events: (() => void)[] = [];
  const response = await kernel.debug.request(content, (event) => events.push(event));
  // Events that follow a response do so once it is on its way.
  setImmediate(() => {
    for (const event of events) event();
  });
  return response;
};
