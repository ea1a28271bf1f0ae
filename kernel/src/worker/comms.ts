/**
 * Comms: two-way channels to the front end. A cell or a library registers targets and opens comms through
 * `globalThis[Symbol.for("Jupyter.comms")]`, so that it depends on no package of ours.
 */
import { randomUUID } from "node:crypto";
import type { ErrorReport } from "../link/messages.js";
import type { Json } from "../protocol/message.js";
import { reportError } from "./errors.js";
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

/** A listener belongs to the cell that registered it: what it prints appears there. */
interface Registered {
  listener: CommListener;
  run: number;
}

interface OpenComm extends Comm {
  messages: Registered[];
  closings: Registered[];
}

/** Runs a listener so that an interrupt stops it alone. @returns whether it ran to its end. */
type Guard = (body: () => void) => boolean;

const targets = new Map<string, { accept: Parameters<CommManager["registerTarget"]>[1]; run: number }>();
const comms = new Map<string, OpenComm>();

export const manager: CommManager = {
  registerTarget: (target, opened) => void targets.set(target, { accept: opened, run: currentRun() }),
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
  guard: Guard,
): void {
  const id = String(content.comm_id);
  if (kind === "open") {
    opened(id, String(content.target_name), content.data, buffers, run, guard);
    return;
  }
  const comm = comms.get(id);
  if (!comm) return;
  if (kind === "close") comms.delete(id);
  const listeners = kind === "msg" ? comm.messages : comm.closings;
  for (const { listener, run: owner } of listeners)
    call(owner, run, () => listener(content.data, buffers, metadata), guard);
}

function opened(
  id: string,
  target: string,
  data: unknown,
  buffers: Buffer[],
  run: number,
  guard: Guard,
): void {
  const found = targets.get(target);
  if (!found) send({ type: "comm-unknown", run, commId: id, target });
  else call(found.run, run, () => found.accept(makeComm(id, target), data, buffers), guard);
}

/**
 * The message that is dealt with right now. What is sent meanwhile answers it: widgets in the page look for
 * the echo of their own update by it.
 */
let handled: number | undefined;

/** What a listener throws is an error of its cell, and keeps no other from running. */
function call(owner: number, message: number, listener: () => unknown, guard: Guard): void {
  const run = owner || message;
  let failure: ErrorReport | undefined;
  handled = message;
  const finished = guard(() =>
    withRun(run, () => {
      try {
        listener();
      } catch (error) {
        failure = reportError(error);
      }
    }),
  );
  flush();
  handled = undefined;
  if (!finished) failure = INTERRUPTED;
  if (failure) send({ type: "error", run, error: failure });
}

const INTERRUPTED: ErrorReport = {
  ename: "Interrupted",
  evalue: "The callback was interrupted.",
  traceback: ["Interrupted: The callback was interrupted. Variables keep the values that they had."],
};

function makeComm(id: string, target: string): Comm {
  const comm: OpenComm = {
    id,
    target,
    messages: [],
    closings: [],
    send: (data, metadata = {}, buffers = []) => transmit("msg", { comm_id: id, data }, metadata, buffers),
    onMessage: (listener) => void comm.messages.push({ listener, run: currentRun() }),
    onClose: (listener) => void comm.closings.push({ listener, run: currentRun() }),
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
  send({ type: "comm", kind, run: handled ?? currentRun(), content, metadata: { ...metadata } }, buffers);
}
