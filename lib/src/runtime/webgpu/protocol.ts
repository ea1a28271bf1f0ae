/**
 * What the calling thread and the thread of the GPU say to each other. Commands are rows of 32-bit words; a batch of them
 * is one message, in the order in which they take effect.
 */

/** Codes of commands, each the first word behind the row's length. */
export const C = {
  /** Only the batch's shaders are wanted. */
  NOTHING: 0,
  /** id, bytes */
  CREATE: 1,
  /** id */
  DESTROY: 2,
  /** id, byte offset, number of the batch's blob */
  UPLOAD: 3,
  /** pipeline, x, y, z, storages, ids…, words of the uniform… */
  DISPATCH: 4,
  /** from, its byte offset, to, its byte offset, bytes */
  COPY: 5,
  /** id, byte offset, bytes: to zeros */
  CLEAR: 6,
  /** id, byte offset, bytes, sequence number, 1: answer with a message, 0: into the staging memory, id of FAULT_BYTES to be put behind them or 0 */
  DOWNLOAD: 7,
  /** sequence number: everything before is done */
  FINISH: 8,
  /** 1: time each dispatch from here on, 0: no longer */
  TIME: 9,
} as const;

/** What a shader leaves that was given a position outside: how many were, the first one's guard, the position, the axis' size. */
export const FAULT_BYTES = 16;

/** Words of the status, shared by both threads. */
export const S = {
  /** 0: starting, 1: ready, 2: there is no device (see the failure), 3: the device is lost, 4: closed */
  STATE: 0,
  /** The last sequence number that is done. */
  DONE: 1,
  /** Failures so far, each sent as a message before it is counted. */
  FAILURES: 2,
  /** Batches that were begun, so that the caller does not run away from the GPU. */
  TAKEN: 3,
  /** 1: what has not begun is not wanted any more. */
  CLOSING: 4,
  /** Always 0: waited for by who naps. */
  NEVER: 5,
  WORDS: 16,
} as const;

/** A compute shader, sent before the first dispatch that names it. */
export interface ShaderMessage {
  readonly id: number;
  /** The op or group of ops, for messages. */
  readonly label: string;
  readonly wgsl: string;
  /** Its entry point. */
  readonly entry: string;
  /** One letter for each storage binding from 0 on, `r` read or `w` written; then `u` if a uniform follows. */
  readonly bindings: string;
}

export interface Batch {
  /** Number of its first command, counted from the start of the device: a batch that comes twice runs once. */
  readonly first: number;
  readonly words: Int32Array;
  readonly blobs: readonly ArrayBuffer[];
  readonly shaders: readonly ShaderMessage[];
  /** Where the downloads of this batch go. */
  readonly staging: SharedArrayBuffer;
}

export interface AdapterFacts {
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  readonly description: string;
  /** Computed by the CPU. */
  readonly software: boolean;
  readonly features: readonly string[];
  readonly limits: Readonly<Record<string, number>>;
  readonly subgroupSizes: readonly [least: number, most: number];
}

/** From the GPU's thread. */
export type Answer =
  | { readonly kind: "ready"; readonly facts: AdapterFacts }
  | { readonly kind: "failure"; readonly message: string }
  | { readonly kind: "data"; readonly sequence: number; readonly data: ArrayBuffer | null }
  | { readonly kind: "times"; readonly times: readonly DispatchTime[] };

/** How long a dispatch took on the device. */
export interface DispatchTime {
  readonly label: string;
  readonly nanoseconds: number;
}

/** What the thread gets at its start. */
export interface ThreadSetup {
  /** URL of the package's module. */
  readonly dawn: string;
  /** Dawn's own options, `NAME=VALUE` each. */
  readonly options: readonly string[];
  readonly status: SharedArrayBuffer;
  readonly commands: typeof C;
  readonly words: typeof S;
  readonly faultBytes: number;
}
