/** How the library talks to a notebook: MIME bundles, published through two symbols that a kernel puts on globalThis. */

import type { MimeBundle } from "../core/display.js";

export { displaySymbol, escapeHtml, type MimeBundle } from "../core/display.js";

export interface PublishOptions {
  /** Names the output, so that it can be replaced later. */
  readonly displayId?: string;
  /** Replaces the output of this id instead of adding one. */
  readonly update?: boolean;
}

type Publish = (bundle: MimeBundle, options?: PublishOptions) => void;

/**
 * The kernel's way to publish an output now; `undefined` outside of notebooks.
 * @example viz.publisher() === undefined // true
 */
export function publisher(): Publish | undefined {
  const found = (globalThis as Record<symbol, unknown>)[Symbol.for("Jupyter.publish")];
  return typeof found === "function" ? (found as Publish) : undefined;
}

let nextId = 0;

/** A display id that no other output of this process has. */
export function newDisplayId(): string {
  return `mlsys-${process.pid}-${nextId++}`;
}
