/**
 * What a cell asks of the front end beside its output: entries of `payload` in the execute_reply, for example
 * `{ source: "set_next_input", text }` or `{ source: "page", data, start: 0 }`. Clients call them deprecated and obey.
 * Source: "Messaging in Jupyter", section "Payloads (DEPRECATED)".
 */
import type { Json } from "../protocol/message.js";
import { currentRun } from "./runs.js";

/** `globalThis[Symbol.for("Jupyter.payload")](entry)` adds an entry to the running cell's reply. */
export const PAYLOAD = Symbol.for("Jupyter.payload");

const payloads = new Map<number, Json[]>();

export function addPayload(entry: Json): void {
  if (typeof entry?.source !== "string")
    throw new TypeError("A payload is an object with a source: page, set_next_input, edit or ask_exit.");
  const run = currentRun();
  // A copy: what cannot be sent is told here, not when the cell ends.
  const copy = JSON.parse(JSON.stringify(entry)) as Json;
  payloads.set(run, [...(payloads.get(run) ?? []), copy]);
}

/** The entries of a cell that is over. */
export function takePayload(run: number): Json[] {
  const entries = payloads.get(run) ?? [];
  payloads.delete(run);
  return entries;
}
