/** What every cell finds on the global object beside Node's own; the type checker reads the declarations here. */
import { join } from "node:path";
import { RUNTIME } from "../compile/scope.js";
import { type Sink, withSink } from "./capture.js";
import { COMMS, manager } from "./comms.js";
import { clearOutput, type Display, makeDisplay, type PublishOptions, publish } from "./display.js";
import { reportError } from "./errors.js";
import { take } from "./evaluate.js";
import { hold, holdEach } from "./hold.js";
import { importModule, loadDynamic, makeMeta, makeRequire } from "./imports.js";
import { confirm as ask, input as inputLine, prompt as promptLine } from "./input.js";
import { inspection } from "./inspection.js";
import { calm, stop } from "./interrupts.js";
import { loadOnce } from "./loading.js";
import { magics, rememberGlobals } from "./magics.js";
import { addPayload, PAYLOAD } from "./payload.js";
import { flush, flushHeld } from "./streams.js";
import { tick } from "./timers.js";

declare global {
  /** Shows a value in the notebook: its MIME bundle, a table for an array of records, or its text. */
  var display: Display;
  /** Asks the reader for a line and waits for it; `null` when dismissed. */
  function prompt(message?: string, initial?: string): string | null;
  /** Asks the reader a yes-or-no question and waits for the answer. */
  function confirm(message?: string): boolean;
  /** Asks the reader for a line without blocking the cell's other work. */
  function input(message?: string, options?: { password?: boolean }): Promise<string>;
}

export const PUBLISH = Symbol.for("Jupyter.publish");
export const CLEAR_OUTPUT = Symbol.for("Jupyter.clearOutput");
export const CAPTURE = Symbol.for("Jupyter.capture");

/**
 * Calls `body` with its output going to `sink`, also what comes later from promises and timers that it starts. What it
 * throws, or its promise rejects with, is output as well.
 */
function capture(sink: Sink, body: () => unknown): unknown {
  const failed = (error: unknown): void => {
    flush();
    sink({ output_type: "error", ...reportError(error) });
  };
  try {
    const value = withSink(sink, body);
    if (!(value instanceof Promise)) return value;
    return value.catch(failed).finally(flush);
  } catch (error) {
    failed(error);
    return undefined;
  } finally {
    flush();
  }
}

/** A library that sends functions of cells elsewhere as text finds by this what `import` has become in it. */
const STANDS_FOR_IMPORT = Symbol.for("mlsys.import");

export function installGlobals(): void {
  const runtime = Object.freeze({
    import: importModule,
    load: Object.assign(loadDynamic, { [STANDS_FOR_IMPORT]: true }),
    meta: makeMeta(),
    tick,
    stop,
    calm,
    flush: flushHeld,
    take,
    hold,
    holdEach,
    magics: Object.freeze(magics),
    debug: inspection,
  });
  Object.defineProperty(globalThis, RUNTIME, { value: runtime });
  const hidden = (name: string | symbol, value: unknown) =>
    Object.defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: false });
  hidden("display", makeDisplay());
  hidden("prompt", promptLine);
  hidden("confirm", ask);
  hidden("input", inputLine);
  hidden("require", makeRequire());
  hidden("__dirname", process.cwd());
  hidden("__filename", join(process.cwd(), "cell.ts"));
  hidden(PUBLISH, (bundle: Record<string, unknown>, options?: PublishOptions) => publish(bundle, options));
  hidden(CLEAR_OUTPUT, clearOutput);
  hidden(COMMS, manager);
  hidden(CAPTURE, capture);
  lazyFetch();
  hidden(PAYLOAD, addPayload);
  rememberGlobals();
}

/** Node loads its HTTP client at the first `fetch`: interrupted there, it would never work again. */
function lazyFetch(): void {
  const { fetch } = globalThis;
  const first: typeof fetch = (...args) => {
    loadOnce("undici", () => void globalThis.Response);
    if (globalThis.fetch === first) globalThis.fetch = fetch;
    return fetch(...args);
  };
  Object.defineProperty(first, "name", { value: "fetch" });
  globalThis.fetch = first;
}
