/** Sockets send one message at a time: those that wait, wait here. */
export interface Sends {
  send(message: (string | Uint8Array)[]): Promise<void>;
}

export class Outbox {
  private readonly waiting: (string | Uint8Array)[][] = [];
  private sending = false;

  constructor(
    private readonly socket: Sends,
    /** A message that can't be sent: its receiver is gone. */
    private readonly lost: (message: readonly (string | Uint8Array)[]) => void = () => {},
  ) {}

  send(...message: (string | Uint8Array)[]): void {
    this.waiting.push(message);
    if (!this.sending) void this.drain();
  }

  private async drain(): Promise<void> {
    this.sending = true;
    for (let message = this.waiting.shift(); message; message = this.waiting.shift()) {
      try {
        await this.socket.send(message);
      } catch {
        this.lost(message);
      }
    }
    this.sending = false;
  }
}
