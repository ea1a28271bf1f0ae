/**
 * What host and worker say to each other. The host trusts nothing that comes from the worker:
 * code in a cell can write to the same pipe, so each field is checked where it is used, and nothing here
 * names a session, a key or a client.
 */
import type { Shift } from "../compile/edits.js";
import type { Json } from "../protocol/message.js";

/** A MIME bundle: MIME type to data, with `text/plain` always present once it leaves the worker. */
export type MimeBundle = Record<string, unknown>;

export interface ErrorReport {
  ename: string;
  evalue: string;
  traceback: string[];
}

/** How modules are transpiled and found, from the `tsconfig.json` beside the notebook. */
export interface ModuleSettings {
  compilerOptions: Record<string, unknown>;
  /** Patterns, and the absolute patterns that stand for them. */
  paths: Record<string, string[]>;
}

/** One cell, ready to run. */
export interface RunRequest {
  type: "run";
  /** Identifies this run in everything that the worker sends about it. */
  run: number;
  /** The shell whose cell it is; each shell runs one cell at a time. */
  shell: number;
  /** Script name seen in stack traces, for example `cell:3`. */
  name: string;
  /** JavaScript to evaluate. */
  code: string;
  /** Source map of `code`, absent when the lines and columns are the reader's own. */
  map?: string;
  /** How the rewriting moved columns; applied before `map`. */
  shifts: Shift[];
  /** How magics moved columns; applied after `map`. */
  inserted: Shift[];
  /** Whether the value of the last statement is the cell's result. */
  hasResult: boolean;
  /** The cell as the reader wrote it, for the code frame in a traceback. */
  source: string;
  /** Expressions to evaluate after the cell, by the front end's names for them. */
  expressions: Record<string, string>;
  allowStdin: boolean;
  silent: boolean;
}

export type ToWorker =
  | RunRequest
  | { type: "settings"; settings: ModuleSettings }
  | { type: "interrupt"; token: number }
  /** Gives up the cell of a subshell that was deleted. */
  | { type: "close-shell"; shell: number }
  | { type: "comm"; kind: "open" | "msg" | "close"; content: Json; metadata: Json; run: number }
  | { type: "input"; token: number; value: string | null };

export type ExpressionResult =
  | { status: "ok"; data: MimeBundle; metadata: Json }
  | ({ status: "error" } & ErrorReport);

/** A cell is over. */
export interface RunDone {
  type: "done";
  run: number;
  error?: ErrorReport;
  expressions: Record<string, ExpressionResult>;
  /** What the cell asks of the front end beside its output. */
  payload?: Json[];
}

export type ToHost =
  | { type: "ready"; inspector: string | null }
  /** The process ends by `process.exit`. */
  | { type: "exit"; code: number }
  | { type: "stream"; run: number; name: "stdout" | "stderr"; text: string }
  | { type: "display"; run: number; data: MimeBundle; metadata: Json; transient: Json; update: boolean }
  | { type: "clear"; run: number; wait: boolean }
  | { type: "result"; run: number; data: MimeBundle; metadata: Json }
  | RunDone
  | { type: "error"; run: number; error: ErrorReport }
  /** The notebook's packages have changed. */
  | { type: "packages" }
  /** Whether a module of Node's own is being loaded. */
  | { type: "loading"; now: boolean }
  /** Not `settled`: to be asked again, for what the cells have put off to have its turn before. */
  | { type: "interrupted"; token: number; settled: boolean }
  | { type: "comm"; kind: "open" | "msg" | "close"; run: number; content: Json; metadata: Json }
  /** The listeners of a comm message from the front end have run. */
  | { type: "comm-done"; message: number }
  | { type: "comm-unknown"; run: number; commId: string; target: string }
  | { type: "input"; run: number; token: number; prompt: string; password: boolean; sync: boolean };
