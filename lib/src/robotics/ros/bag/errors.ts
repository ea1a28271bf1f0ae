import { MlsysError } from "../../../core/errors.js";

/** A bag that can't be read or written; the message names the file and what is wrong with it. */
export class BagError extends MlsysError {
  override name = "BagError";
}
