/** Frames share a thread's or process's channel with whatever else is said there, and with other domains. */
import { ValueError } from "../../../../core/errors.js";
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

const claims = new WeakMap<object, Set<number>>();

/** Takes a channel for the link of a domain; returns what gives it back. @throws ValueError if it is taken */
export function claim(channel: object, domain: number): () => void {
  let domains = claims.get(channel);
  if (!domains) {
    domains = new Set();
    claims.set(channel, domains);
  }
  if (domains.has(domain))
    throw new ValueError(`ROS graph: domain ${domain} is linked over this channel already`);
  domains.add(domain);
  const held = domains;
  return () => held.delete(domain);
}
