/** What MPI says, as errors of ours. */
import { DeviceError } from "../../../core/errors.js";
import { TransportError } from "../errors.js";

/** A call into MPI that did not succeed. */
export class MpiError extends TransportError {
  override name = "MpiError";
  constructor(
    /** The function that was called. */
    readonly called: string,
    readonly code: number,
    /** The library's own words. */
    readonly words: string,
  ) {
    super(`${called} failed with code ${code}: ${words}`);
  }

  /** True if the code says that a member has died (MPI 4's fault tolerance; older libraries end the whole job instead). */
  get saysLost(): boolean {
    return /PROC_FAILED|PROC_ABORTED|process (failure|failed)/i.test(this.words);
  }
}

/** There is no MPI here, or none that we can call. */
export class MpiMissingError extends DeviceError {
  override name = "MpiMissingError";
  constructor(why: string) {
    super(
      `mpi: ${why}. Debian and Ubuntu: apt-get install openmpi-bin libopenmpi3; macOS: brew install open-mpi; clusters: module load openmpi. MLSYS_MPI_LIBRARY names a library elsewhere`,
    );
  }
}
