/**
 * Output of a piece of work, handed to a function instead of the front end. The work gets a run of its own, so what
 * it starts (promises, timers) is captured as well, whenever it comes.
 */
import type { ErrorReport, ToHost } from "../link/messages.js";
import { currentRun, NO_RUN, withRun } from "./runs.js";

/** As in a notebook's file, and the two messages that change outputs. */
export type CapturedOutput =
  | { output_type: "stream"; name: "stdout" | "stderr"; text: string }
  | { output_type: "display_data" | "update_display_data"; data: object; metadata: object; transient: object }
  | ({ output_type: "error" } & ErrorReport)
  | { output_type: "clear_output"; wait: boolean };

export type Sink = (output: CapturedOutput) => void;

/** Runs below 0 are captured. One for each sink, kept as long as something may still write to it. */
const runs = new WeakMap<Sink, number>();
const sinks = new Map<number, { sink: Sink; parent: number }>();
let next = -1;

/** Calls `body` as part of the sink's run. */
export function withSink<T>(sink: Sink, body: () => T): T {
  const run = runs.get(sink) ?? next--;
  runs.set(sink, run);
  const parent = frontRun(currentRun());
  if (parent !== NO_RUN || !sinks.has(run)) sinks.set(run, { sink, parent });
  return withRun(run, body);
}

/** The cell behind a captured run: questions and comms go there. */
export function frontRun(run: number): number {
  return run < 0 ? (sinks.get(run)?.parent ?? NO_RUN) : run;
}

/** Gives a captured message to its sink. @returns whether it was one. */
export function divert(message: ToHost): boolean {
  if (!("run" in message) || message.run >= 0) return false;
  const output = captured(message);
  const target = sinks.get(message.run);
  if (!output || !target) return false;
  withRun(target.parent, () => target.sink(output));
  return true;
}

function captured(message: ToHost): CapturedOutput | undefined {
  switch (message.type) {
    case "stream":
      return { output_type: "stream", name: message.name, text: message.text };
    case "display": {
      const { update, data, metadata, transient } = message;
      return { output_type: update ? "update_display_data" : "display_data", data, metadata, transient };
    }
    case "clear":
      return { output_type: "clear_output", wait: message.wait };
    case "error":
      return { output_type: "error", ...message.error };
    default:
      return undefined;
  }
}
