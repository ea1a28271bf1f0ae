/** What goes wrong between the members of a job. */
import { DeviceError, DTypeError, MlsysError, ValueError } from "../../core/errors.js";

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
    /** Why, in the words of who noticed. */
    readonly why: string,
    options?: ErrorOptions,
  ) {
    super(`rank ${rank} is gone: ${why}`, options);
  }
}

/** An operation did not finish in the group's time: a member is slow, hangs, or never called it. */
export class GroupTimeoutError extends MlsysError {
  override name = "GroupTimeoutError";
}

/** An error on its way between threads and members. */
export interface ErrorData {
  readonly name: string;
  readonly message: string;
  /** Of a PeerLostError. */
  readonly rank?: number;
}

export function errorData(error: unknown): ErrorData {
  if (error instanceof PeerLostError) return { name: error.name, message: error.why, rank: error.rank };
  if (error instanceof Error) return { name: error.name, message: error.message };
  return { name: "Error", message: String(error) };
}

const CLASSES: Readonly<Record<string, new (message: string) => Error>> = {
  TransportError,
  GroupTimeoutError,
  ValueError,
  DTypeError,
  DeviceError,
  MpiError: TransportError,
  MpiMissingError: DeviceError,
};

export function errorOf({ name, message, rank }: ErrorData): Error {
  if (rank !== undefined) return new PeerLostError(rank, message);
  return new (CLASSES[name] ?? MlsysError)(message);
}
