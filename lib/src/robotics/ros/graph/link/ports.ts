/** Channels to other threads. */
import { type MessagePort, parentPort, type Worker } from "node:worker_threads";
import { claim, disclose, enclose } from "./envelope.js";
import type { Channel } from "./frames.js";

/** Both ends of a MessageChannel are the links' alone: closing a link closes the port. */
export function portChannel(port: MessagePort, domain: number): Channel {
  return channel(port, "close", domain, () => port.close());
}

export function workerChannel(worker: Worker, domain: number): Channel {
  return channel(worker, "exit", domain, () => {});
}

/** Of a worker thread; null elsewhere. */
export function parentThread(domain: number): Channel | null {
  return parentPort && channel(parentPort, "close", domain, () => {});
}

function channel(
  port: MessagePort | Worker,
  end: "close" | "exit",
  domain: number,
  closePort: () => void,
): Channel {
  const emitter = port as unknown as NodeJS.EventEmitter; // MessagePort has these two of it
  const release = claim(port, domain);
  let hear: (message: unknown) => void = () => {};
  let ended = (): void => {};
  return {
    redials: false,
    sharesBuffers: false,
    send: (frame) => port.postMessage(enclose(domain, frame)),
    open(onFrame, onLost) {
      hear = (message) => {
        const frame = disclose(domain, message);
        if (frame) onFrame(frame);
      };
      ended = () => onLost(true);
      emitter.on("message", hear);
      emitter.on(end, ended);
    },
    close() {
      release();
      emitter.off("message", hear);
      emitter.off(end, ended);
      closePort();
    },
  };
}
