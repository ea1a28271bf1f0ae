/** What goes wrong between the members of a job. */
import { MlsysError } from "../../core/errors.js";

/** Members disagree: other lengths, shapes, dtypes or operations than expected. */
export class TransportError extends MlsysError {
  override name = "TransportError";
}

/** A member is gone: its thread or process ended, its link broke, or it said goodbye. */
export class PeerLostError extends MlsysError {
  override name = "PeerLostError";
  constructor(
    /** The member that is gone. */
    readonly rank: number,
    why: string,
    options?: ErrorOptions,
  ) {
    super(`rank ${rank} is gone: ${why}`, options);
  }
}

/** An operation did not finish in the group's time: a member is slow, hangs, or never called it. */
export class GroupTimeoutError extends MlsysError {
  override name = "GroupTimeoutError";
}
