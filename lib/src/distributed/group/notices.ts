/**
 * Notices: small messages between the communication threads themselves, beside the operations' own. They go over the
 * same transport under tag 0, all of one length, so that one receive per member is always open for the next one. By them
 * members find out that they disagree, that one has given up, left, or been lost.
 */
import type { ErrorData } from "../transport/errors.js";
import type { Transport } from "../transport/transport.js";

export type Notice =
  /** "My operation `n` is this." To the next member, who compares. */
  | { readonly kind: "op"; readonly group: number; readonly n: number; readonly what: string }
  /** "It is over for this group." */
  | { readonly kind: "broken"; readonly group: number; readonly error: ErrorData }
  /** "I leave after `n` operations; to you I have sent `sent` messages." */
  | { readonly kind: "leave"; readonly group: number; readonly n: number; readonly sent: number }
  /** "I have waited too long: how far are you?" */
  | { readonly kind: "ask"; readonly group: number; readonly n: number }
  | { readonly kind: "at"; readonly group: number; readonly n: number; readonly asked: number };

const TAG = 0;
const LENGTH = 448;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Shortened, so that a notice holds it, and two of it in the message of an error. */
export const shortened = (text: string, most = 100): string =>
  text.length <= most ? text : `${text.slice(0, most - 1)}…`;

/** Longest message of an error in a notice: as JSON, in UTF-8, it still fits. */
export const MAX_MESSAGE = 300;

export class Notices {
  constructor(
    private readonly transport: Transport,
    private readonly heard: (from: number, notice: Notice) => void,
    private readonly lost: (rank: number, error: unknown) => void,
  ) {
    for (let rank = 0; rank < transport.size; rank++) if (rank !== transport.rank) void this.listen(rank);
  }

  /** A member that can't be reached is noticed where it is listened to. */
  tell(to: number, notice: Notice): void {
    const bytes = new Uint8Array(LENGTH);
    encoder.encodeInto(JSON.stringify(notice), bytes);
    this.transport.send(to, TAG, bytes).catch(() => {});
  }

  private async listen(rank: number): Promise<void> {
    const bytes = new Uint8Array(LENGTH);
    for (;;) {
      try {
        await this.transport.receive(rank, TAG, bytes);
      } catch (error) {
        this.lost(rank, error);
        return;
      }
      const end = bytes.indexOf(0);
      let notice: Notice;
      try {
        notice = JSON.parse(decoder.decode(bytes.subarray(0, end < 0 ? LENGTH : end))) as Notice;
      } catch {
        continue; // cut short
      }
      this.heard(rank, notice);
    }
  }
}
