/** Channels between a process and those that it started. */
import type { ChildProcess } from "node:child_process";
import { ValueError } from "../../../../core/errors.js";
import { claim, disclose, enclose } from "./envelope.js";
import type { Channel } from "./frames.js";
import { parentThread } from "./ports.js";

export function childChannel(child: ChildProcess, domain: number): Channel {
  if (!child.send)
    throw new ValueError(
      'ROS graph: the child process has no IPC channel: fork it, or spawn it with stdio "ipc"',
    );
  return channel(child, domain);
}

export function parentChannel(domain: number): Channel {
  const thread = parentThread(domain);
  if (thread) return thread;
  if (!process.send)
    throw new ValueError(
      "ROS graph: there is no parent to link to: this process was started without an IPC channel",
    );
  return channel(process, domain);
}

function channel(other: ChildProcess | NodeJS.Process, domain: number): Channel {
  const emitter: NodeJS.EventEmitter = other;
  const release = claim(other, domain);
  let hear: (message: unknown) => void = () => {};
  let ended = (): void => {};
  return {
    redials: false,
    sharesBuffers: true,
    send(frame) {
      // one that has just gone is noticed by its "disconnect"
      if (other.connected) other.send?.(enclose(domain, frame), undefined, undefined, () => {});
    },
    open(onFrame, onLost) {
      hear = (message) => {
        const frame = disclose(domain, message);
        if (frame) onFrame(frame);
      };
      ended = () => onLost(true);
      emitter.on("message", hear);
      emitter.on("disconnect", ended);
    },
    close() {
      release();
      emitter.off("message", hear);
      emitter.off("disconnect", ended);
    },
  };
}
