/**
 * The worker's end of the pipes. Writes are synchronous: what a cell printed has left the process before the
 * next statement runs, so neither a crash nor `process.exit` loses it, and a flood blocks the cell, not memory.
 */
import { readSync, writeSync } from "node:fs";
import { Socket } from "node:net";
import { encodeFrame, type Frame, FrameReader } from "../link/frames.js";
import type { ToHost, ToWorker } from "../link/messages.js";
import { divert, frontRun } from "./capture.js";

/** Pipes that the host opens for the worker, by their role. */
export const FD = { fromHost: 3, toHost: 4, answers: 5 } as const;

export function send(
  given: ToHost,
  buffers: readonly Uint8Array[] = [],
  allocate: (size: number) => Buffer = Buffer.allocUnsafe,
): void {
  whole(() => {
    if (!divert(given)) write(encodeFrame(fronted(given), buffers, allocate));
  });
}

let sending = false;

/** Whether a message is on its way right now: in the midst of it there is no place for another one. */
export function isSending(): boolean {
  return sending;
}

/** In one write, which wakes the host once. Not for what may be captured. */
export function sendTogether(messages: readonly ToHost[]): void {
  whole(() => write(Buffer.concat(messages.map((message) => encodeFrame(fronted(message))))));
}

function whole(body: () => void): void {
  const before = sending;
  sending = true;
  try {
    body();
  } finally {
    sending = before;
  }
}

const fronted = (given: ToHost): ToHost => ("run" in given ? { ...given, run: frontRun(given.run) } : given);

function write(bytes: Buffer): void {
  for (let at = 0; at < bytes.length; ) at += writeSome(FD.toHost, bytes, at);
}

/** @param guard calls its argument so that a termination stops that alone; tells whether it ran to its end. */
export function listen(
  onMessage: (message: ToWorker, buffers: Buffer[]) => void,
  onClose: () => void,
  guard: (body: () => void) => boolean,
): void {
  const reader = new FrameReader<ToWorker>();
  const socket = new Socket({ fd: FD.fromHost, readable: true, writable: false });
  const waiting: Frame<ToWorker>[] = [];
  socket.on("data", (chunk: Buffer) => {
    sending = false; // an interrupt may have ended the sending, and it skips every `finally`
    waiting.push(...reader.push(chunk));
    for (let frame = waiting[0]; frame; frame = waiting[0]) {
      const { message, buffers } = frame;
      const whole = guard(() => onMessage(message, buffers));
      // The answer to an interrupt may be what a termination strikes.
      if (whole || message.type !== "interrupt") waiting.shift();
    }
  });
  socket.on("close", onClose);
  socket.on("error", onClose);
}

/** Blocks until the host answers the question that was sent last. */
export function readAnswer(): { token: number; value: string | null } {
  const header = readExactly(4);
  const { message } = new FrameReader<{ token: number; value: string | null }>().push(
    Buffer.concat([header, readExactly(header.readUInt32LE(0))]),
  )[0]!;
  return message;
}

const pause = new Int32Array(new SharedArrayBuffer(4));

function writeSome(fd: number, bytes: Buffer, at: number): number {
  try {
    return writeSync(fd, bytes, at);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EPIPE" || code === "EBADF") process.kill(process.pid, "SIGKILL");
    if (code !== "EAGAIN") throw error;
    Atomics.wait(pause, 0, 0, 1);
    return 0;
  }
}

function readExactly(count: number): Buffer {
  const bytes = Buffer.alloc(count);
  for (let at = 0; at < count; ) {
    try {
      const read = readSync(FD.answers, bytes, at, count - at, null);
      if (read === 0) throw new Error("The kernel closed the input channel.");
      at += read;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
      Atomics.wait(pause, 0, 0, 10);
    }
  }
  return bytes;
}
