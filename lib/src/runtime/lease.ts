/**
 * Leases: memory of an owner that changes it often (a variable, at every training step). The garbage collector is told
 * of the owner once, not of each storage: registering costs as much as a small op, and burdens every collection.
 */
import type { Storage } from "./storage.js";
import { collect, type Held } from "./tidy.js";

export class Lease implements Held {
  private storage: Storage | null = null;

  /** What the lease has when `owner` is garbage goes back. */
  constructor(owner: object) {
    collect(owner, this);
  }

  /** From now on the lease has this reference to `storage`. @returns what it had before, for the caller to give back */
  take(storage: Storage): Storage | null {
    const before = this.storage;
    this.storage = storage;
    return before;
  }

  /** Gives back what it has. Safe to call twice. */
  drop(): void {
    const { storage } = this;
    this.storage = null;
    storage?.drop();
  }
}
