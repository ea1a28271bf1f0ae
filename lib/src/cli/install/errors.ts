import { CommandError } from "../errors.js";

/** What could not be installed, and what to do. */
export class InstallError extends CommandError {
  override name = "InstallError";
}
