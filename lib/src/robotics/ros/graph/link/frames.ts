/** What linked domains say to each other. Frames are plain data: any channel that carries structured clones carries them. */
import type { NodeData } from "../domain.js";
import type { EndpointData } from "../endpoint.js";
import type { Related } from "../sample.js";

export const VERSION = 1;

export interface EndpointFrame {
  readonly data: EndpointData;
  /** Of a writer: whether it keeps its promise of liveliness. */
  readonly alive: boolean | null;
}

export interface ParticipantFrame {
  readonly id: string;
  readonly lease: number;
  readonly nodes: readonly NodeData[];
  readonly endpoints: readonly EndpointFrame[];
}

export interface SampleFrame {
  readonly sequence: number;
  /** Milliseconds since 1970. */
  readonly sourceTime: number;
  readonly expires: number;
  readonly message: unknown;
  readonly bytes: number;
  readonly related: Related | null;
}

/** By what each is about; `Frames["here"]` is what a frame `{ t: "here", … }` carries. */
export interface Frames {
  /** Said until the other side says it too. `session` changes when a side starts anew; `to`: the session that it answers. */
  hello: {
    readonly version: number;
    readonly domain: number;
    readonly peer: string;
    readonly session: string;
    readonly to: string | null;
    /** Arrives as it is only where typed arrays do. */
    readonly probe: Uint8Array;
  };
  /** The channel stays, but no frames come any more. */
  over: { readonly reason: string };

  /** A participant came: all that it has. */
  here: { readonly participant: ParticipantFrame };
  /** It said goodbye. */
  bye: { readonly participant: string };
  /** Said periodically: these still live. */
  beat: { readonly participants: readonly string[] };
  /** A beat named one that the other side doesn't know (any more). */
  who: { readonly participant: string };
  node: { readonly participant: string; readonly node: NodeData };
  noNode: { readonly participant: string; readonly node: string };
  endpoint: { readonly participant: string; readonly endpoint: EndpointFrame };
  noEndpoint: { readonly endpoint: string };
  alive: { readonly writer: string; readonly alive: boolean | null };

  /** `to`: the one reader that it is for. */
  sample: { readonly writer: string; readonly to: string | null; readonly sample: SampleFrame };
  /** A late joiner asks for what the writer keeps. */
  ask: { readonly writer: string; readonly reader: string };
  past: { readonly writer: string; readonly reader: string; readonly samples: readonly SampleFrame[] };
  /** Answered when all samples before it have reached their readers. */
  sync: { readonly id: number; readonly writer: string };
  synced: { readonly id: number };
  /** So many samples have been taken from the channel: as many more may come. */
  credit: { readonly messages: number; readonly bytes: number };
}

export type Frame = { [T in keyof Frames]: { readonly t: T } & Frames[T] }[keyof Frames];

/** A channel to another domain: frames arrive whole and in order, or the channel is lost. */
export interface Channel {
  /** The frame may be changed by its owner after `send` returns: it is serialized at once. */
  send(frame: Frame): void;
  /** Called once, before anything is sent. `onLost`: whoever was at the other end is gone, perhaps for a while. */
  open(onFrame: (frame: Frame) => void, onLost: (isOver: boolean) => void): void;
  close(): void;
}
