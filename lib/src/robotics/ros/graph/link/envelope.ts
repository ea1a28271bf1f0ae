/** Frames share a thread's or process's channel with whatever else is said there, and with other domains. */
import type { Frame } from "./frames.js";

const KEY = "mlsys.ros";

export interface Envelope {
  readonly [KEY]: number;
  readonly frame: Frame;
}

export function enclose(domain: number, frame: Frame): Envelope {
  return { [KEY]: domain, frame };
}

/** The frame, if it is one of this domain. */
export function disclose(domain: number, message: unknown): Frame | null {
  if (typeof message !== "object" || message === null) return null;
  const envelope = message as Partial<Envelope>;
  return envelope[KEY] === domain && envelope.frame ? envelope.frame : null;
}
