/**
 * Comms: two-way channels to the front end. A cell or a library registers targets and opens comms through
 * `globalThis[Symbol.for("Jupyter.comms")]`, so that it depends on no package of ours.
 */
import { randomUUID } from "node:crypto";
import type { Json } from "../protocol/message.js";
import { send } from "./link.js";
import { currentRun, withRun } from "./runs.js";
import { flush } from "./streams.js";

export const COMMS = Symbol.for("Jupyter.comms");

export type CommListener = (data: unknown, buffers: Uint8Array[], metadata: object) => void;

/** One end of a comm. */
export interface Comm {
  readonly id: string;
  readonly target: string;
  send(data: unknown, metadata?: object, buffers?: readonly Uint8Array[]): void;
  onMessage(listener: CommListener): void;
  onClose(listener: CommListener): void;
  close(data?: unknown): void;
}

export interface CommManager {
  /** `opened` is called with each comm that the front end opens to `target`, and the data that came along. */
  registerTarget(target: string, opened: (comm: Comm, data: unknown, buffers: Uint8Array[]) => void): void;
  unregisterTarget(target: string): void;
  /** Opens a comm to a target of the front end. */
  open(
    target: string,
    data?: unknown,
    options?: { id?: string; metadata?: object; buffers?: readonly Uint8Array[] },
  ): Comm;
}

interface OpenComm extends Comm {
  messages: CommListener[];
  closings: CommListener[];
}

const targets = new Map<string, Parameters<CommManager["registerTarget"]>[1]>();
const comms = new Map<string, OpenComm>();

export const manager: CommManager = {
  registerTarget: (target, opened) => void targets.set(target, opened),
  unregisterTarget: (target) => void targets.delete(target),
  open: (target, data = {}, { id = randomUUID(), metadata = {}, buffers = [] } = {}) => {
    const comm = makeComm(id, target);
    transmit("open", { comm_id: id, target_name: target, data }, metadata, buffers);
    return comm;
  },
};

/** A message from the front end. */
export function receiveComm(
  kind: "open" | "msg" | "close",
  content: Json,
  metadata: Json,
  buffers: Buffer[],
  run: number,
): void {
  const id = String(content.comm_id);
  if (kind === "open") {
    opened(id, String(content.target_name), content.data, buffers, run);
    return;
  }
  const comm = comms.get(id);
  if (!comm) return;
  if (kind === "close") comms.delete(id);
  const listeners = kind === "msg" ? comm.messages : comm.closings;
  for (const listener of listeners) withRun(run, () => listener(content.data, buffers, metadata));
}

function opened(id: string, target: string, data: unknown, buffers: Buffer[], run: number): void {
  const accept = targets.get(target);
  if (!accept) send({ type: "comm-unknown", run, commId: id, target });
  else withRun(run, () => accept(makeComm(id, target), data, buffers));
}

function makeComm(id: string, target: string): Comm {
  const comm: OpenComm = {
    id,
    target,
    messages: [],
    closings: [],
    send: (data, metadata = {}, buffers = []) => transmit("msg", { comm_id: id, data }, metadata, buffers),
    onMessage: (listener) => void comm.messages.push(listener),
    onClose: (listener) => void comm.closings.push(listener),
    close: (data = {}) => {
      if (comms.delete(id)) transmit("close", { comm_id: id, data }, {}, []);
    },
  };
  comms.set(id, comm);
  return comm;
}

function transmit(
  kind: "open" | "msg" | "close",
  content: Json,
  metadata: object,
  buffers: readonly Uint8Array[],
): void {
  flush();
  send({ type: "comm", kind, run: currentRun(), content, metadata: { ...metadata } }, buffers);
}
