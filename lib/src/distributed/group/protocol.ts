/**
 * What the thread that computes and the thread that communicates say to each other. Orders and replies are messages; that
 * an operation has finished is a word in shared memory, so that it can be slept on.
 */
import type { CollectiveKind } from "../collectives/collective.js";
import type { Step } from "../collectives/schedule.js";
import type { ErrorData } from "../transport/errors.js";

/** Bytes of the heap that both threads see. */
export interface Region {
  readonly at: number;
  readonly bytes: number;
}

/** A request whose buffers are regions. */
export type PostedRequest = Readonly<Record<string, unknown>>;

export type Copy = readonly [from: Region, to: Region];

interface Operation {
  /** The operation's word. */
  readonly slot: number;
  /** Number of the group. */
  readonly group: number;
  /** Name, dtype, shape: must be the same on all members. */
  readonly what: string;
  /** Milliseconds. */
  readonly timeout: number;
  /** With the end comes what was done, as `Traced`. */
  readonly trace?: boolean;
}

/** What an operation gives, and the steps in which it was done. */
export interface Traced {
  readonly value: unknown;
  readonly steps: readonly Step[];
}

export type Order =
  | { readonly do: "group"; readonly group: number; readonly name: string; readonly ranks: readonly number[] }
  /** Waits for what is under way and says goodbye; with `error`, at once. */
  | { readonly do: "leave"; readonly group: number; readonly slot: number; readonly error: string | null }
  | ({
      readonly do: "collective";
      readonly kind: CollectiveKind;
      readonly algorithm: string | undefined;
      readonly request: PostedRequest;
      readonly before: readonly Copy[];
      readonly after: readonly Copy[];
    } & Operation)
  /** Members' bytes, of which nobody knows the others' sizes, on all or on `root`: into a new block of the heap. */
  | ({
      readonly do: "collect";
      readonly own: Region;
      readonly root: number | null;
      readonly algorithm: string | undefined;
    } & Operation)
  /** The same for bytes outside of the heap. */
  | ({ readonly do: "objects"; readonly bytes: Uint8Array } & Operation)
  | ({ readonly do: "calibrate" } & Operation)
  | ({ readonly do: "object"; readonly bytes: Uint8Array | null; readonly root: number } & Operation)
  | ({ readonly do: "send"; readonly to: number; readonly tag: number; readonly data: Region } & Operation)
  | ({
      readonly do: "receive";
      readonly from: number;
      readonly tag: number;
      readonly data: Region;
    } & Operation)
  /** Blocks of the heap that `collect` made and nobody needs any more: address, bytes, address, bytes … */
  | { readonly do: "return"; readonly blocks: readonly number[] }
  | { readonly do: "close"; readonly slot: number };

export type Reply =
  | {
      readonly kind: "ready";
      readonly name: string;
      readonly rank: number;
      readonly size: number;
      readonly places: readonly { host: string }[];
    }
  | { readonly kind: "unready"; readonly error: ErrorData }
  | { readonly kind: "failed"; readonly slot: number; readonly error: ErrorData }
  | { readonly kind: "value"; readonly slot: number; readonly value: unknown }
  /** For those who asked to be told of the end by a message. */
  | { readonly kind: "done"; readonly slot: number };

/** As text, which costs a third of what structured clone of the same order does; bytes go as they are. */
export const written = (order: Order): Order | string => ("bytes" in order ? order : JSON.stringify(order));

export const read = (message: Order | string): Order =>
  typeof message === "string" ? (JSON.parse(message) as Order) : message;

/** What the word of an operation says. */
export const PENDING = 0;
export const OK = 1;
export const FAILED = 2;
/** Under way, and a message is wanted at the end. */
export const WANTED = 3;

/** Operations that may be under way at once. */
export const SLOTS = 65_536;

/** What a communication thread is started with. */
export interface CommunicationStart {
  readonly mlsysHeap: { readonly memory: WebAssembly.Memory; readonly regions: Int32Array };
  readonly words: Int32Array<SharedArrayBuffer>;
  /** The word on which the thread sleeps if its transport has no events. */
  readonly bell: Int32Array<SharedArrayBuffer>;
  readonly port: import("node:worker_threads").MessagePort;
  /** URL of a module that exports `open`, and what to call it with. */
  readonly transport: { readonly module: string; readonly config: unknown };
}
