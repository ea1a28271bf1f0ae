/** A failure whose message alone is for the user: what is wrong, and what to do. */
export class InstallError extends Error {
  override name = "InstallError";
}
