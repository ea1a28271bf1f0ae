/** A failure whose message alone is for the user: what is wrong, and what to do. */
export class CommandError extends Error {
  override name = "CommandError";
}

/** The command ends with this code; all has been said. */
export class ExitCode extends Error {
  override name = "ExitCode";
  constructor(readonly code: number) {
    super(`exit code ${code}`);
  }
}
