/** What the package @jupyterlab/services needs to behave in a command-line program: its socket and its voice. */
import { WebSocket } from "ws";

/**
 * The socket's class. It refuses larger messages, and answers each with a pong (which itself has no answer): a Jupyter server sends a cell's
 * messages with Nagle's algorithm on, so the second small one waits for the first one's acknowledgement, which the
 * system here delays for 40 ms unless it has something to send.
 */
export function boundedSocket(maxBytes: number): typeof globalThis.WebSocket {
  class BoundedSocket extends WebSocket {
    constructor(url: string | URL, protocols?: string | string[]) {
      super(url, protocols, { maxPayload: maxBytes, perMessageDeflate: false });
      this.on("message", () => {
        if (this.readyState === WebSocket.OPEN) this.pong();
      });
    }
  }
  return BoundedSocket as unknown as typeof globalThis.WebSocket;
}

const CHATTER =
  /^(Starting WebSocket: |Kernel: |Connection lost, reconnecting|The kernel "[^"]*" does not exist)/;
let quiet = false;

/** The package tells the console of each socket and each state, on standard output even: results belong there. */
export function quietConsole(): void {
  if (quiet) return;
  quiet = true;
  for (const level of ["debug", "warn"] as const) {
    const original = console[level].bind(console);
    console[level] = (...words: unknown[]) => {
      if (typeof words[0] !== "string" || !CHATTER.test(words[0])) original(...words);
    };
  }
}
