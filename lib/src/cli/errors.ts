/** A failure whose message alone is for the user: what is wrong, and what to do. */
export class CommandError extends Error {
  override name = "CommandError";
}
