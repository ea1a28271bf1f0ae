/** What a launcher and a rank's thread say to each other. */
import type { MessagePort } from "node:worker_threads";
import type { Shipment } from "../../data/engine/ship.js";
import type { Carried } from "./carry.js";

export interface RankStart {
  readonly rank: number;
  readonly size: number;
  /** Rings of the threads transport. */
  readonly board: SharedArrayBuffer;
  readonly port: MessagePort;
}

export interface RunOrder {
  readonly kind: "run";
  /** Number of the run. */
  readonly run: number;
  readonly shipment: Shipment;
  readonly args: Carried;
  /** Of the group: milliseconds. */
  readonly timeout: number;
}

export type ToRank =
  | { readonly kind: "memories"; readonly memories: readonly WebAssembly.Memory[] }
  | RunOrder;

/** An error of a function, with what it said of itself. */
export interface RankFailure {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  /** If it is that another rank is gone: which. */
  readonly lost: number | undefined;
}

export type FromRank =
  | { readonly kind: "memory"; readonly memory: WebAssembly.Memory }
  | { readonly kind: "ready" }
  | { readonly kind: "result"; readonly run: number; readonly value: Carried }
  | { readonly kind: "failed"; readonly run: number; readonly error: RankFailure }
  | { readonly kind: "output"; readonly stream: "stdout" | "stderr"; readonly text: string };
