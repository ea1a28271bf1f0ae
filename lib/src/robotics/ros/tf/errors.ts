/** Why a transform can't be told; the classes are tf2's. */
import { MlsysError } from "../../../core/errors.js";

/** Base of all errors of transforms. */
export class TransformException extends MlsysError {
  override name = "TransformException";
}
/** A frame that no transform has named yet, or a tree that has a loop. */
export class TransformLookupError extends TransformException {
  override name = "TransformLookupError";
}
/** Two frames without a common ancestor. */
export class ConnectivityError extends TransformException {
  override name = "ConnectivityError";
}
/** A time before the oldest or after the newest transform that is kept. */
export class ExtrapolationError extends TransformException {
  override name = "ExtrapolationError";
}
/** A frame's name that is empty or starts with "/", a transform that is none. */
export class InvalidTransformError extends TransformException {
  override name = "InvalidTransformError";
}
/** What was waited for did not come in time. */
export class TransformTimeoutError extends TransformException {
  override name = "TransformTimeoutError";
}
