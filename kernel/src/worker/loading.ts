/**
 * Modules of Node's own that load at their first use: one that is stopped half-way stays half loaded for good. The host is
 * told beforehand, since compiling one may keep the worker from answering.
 */
import { uninterrupted } from "./interrupts.js";
import { send } from "./link.js";

const loaded = new Set<string>();

/** Calls `load`, which loads the module `name`; only an interrupt that has lost its patience stops it. */
export function loadOnce(name: string, load: () => void): void {
  if (loaded.has(name)) return;
  uninterrupted(() => {
    send({ type: "loading", now: true });
    load();
    loaded.add(name);
    send({ type: "loading", now: false });
  });
}
