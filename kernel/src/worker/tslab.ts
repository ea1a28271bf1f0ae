/** The public interface of tslab, so that `import * as tslab from "tslab"` works in notebooks written for it. */
import { randomUUID } from "node:crypto";
import { publish } from "./display.js";

/** tslab's display functions. Byte arguments are the file's content. */
export interface Display {
  javascript(s: string): void;
  html(s: string): void;
  markdown(s: string): void;
  latex(s: string): void;
  svg(s: string): void;
  png(b: Uint8Array): void;
  jpeg(b: Uint8Array): void;
  gif(b: Uint8Array): void;
  pdf(b: Uint8Array): void;
  text(s: string): void;
  /** Shows data of any MIME type. */
  raw(contentType: string, b: string | Uint8Array): void;
}

export const display: Display = makeDisplay();

/** An output of its own: the first call shows it, later calls replace it. */
export function newDisplay(): Display {
  return makeDisplay(randomUUID());
}

export const versions = { tslab: "1.0.22", typescript: "6.0.3", node: process.version };

function makeDisplay(displayId?: string): Display {
  let shown = false;
  const raw = (contentType: string, data: string | Uint8Array) => {
    publish({ [contentType]: data }, { displayId, update: shown && displayId !== undefined });
    shown = true;
  };
  return {
    javascript: (s) => raw("text/javascript", s),
    html: (s) => raw("text/html", s),
    markdown: (s) => raw("text/markdown", s),
    latex: (s) => raw("text/latex", s),
    svg: (s) => raw("image/svg+xml", s),
    png: (b) => raw("image/png", b),
    jpeg: (b) => raw("image/jpeg", b),
    gif: (b) => raw("image/gif", b),
    pdf: (b) => raw("application/pdf", b),
    text: (s) => raw("text/plain", s),
    raw,
  };
}
