import { ModelFileError } from "../../format/layout.js";

/** What is wrong: the key, or the file. */
export type EncryptionProblem =
  | "no key"
  | "bad key"
  | "wrong key"
  | "not encrypted"
  | "changed"
  | "cut short";

/** A file that can't be encrypted or decrypted with this key. */
export class EncryptionError extends ModelFileError {
  override name = "EncryptionError";

  constructor(
    readonly problem: EncryptionProblem,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
