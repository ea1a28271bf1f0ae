import { MlsysError } from "../../../core/errors.js";

/** A bridge that can't be started; the message says why. */
export class RosbridgeError extends MlsysError {
  override name = "RosbridgeError";
}
