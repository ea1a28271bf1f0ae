/** What runs and must not outlive the grader, also when it ends by an error. */
import { GraderError } from "../errors.js";

interface Running {
  /** Ends it without waiting. */
  killNow(): void;
  shutdown(): Promise<void>;
}

class WayOut {
  private readonly running = new Set<Running>();
  private ending = false;

  constructor() {
    process.on("exit", () => {
      for (const item of this.running) item.killNow();
    });
  }

  /** To be asked before anything is started. @throws GraderError when the grader is on its way out */
  check(): void {
    if (this.ending) throw new GraderError("interrupted");
  }

  add(item: Running): void {
    this.running.add(item);
  }

  delete(item: Running): void {
    this.running.delete(item);
  }

  async shutdown(): Promise<void> {
    this.ending = true;
    await Promise.all([...this.running].map((item) => item.shutdown()));
  }
}

export const onTheWayOut = new WayOut();

/** Ends every kernel that this process started and starts no more; for the way out. */
export function shutdownAll(): Promise<void> {
  return onTheWayOut.shutdown();
}
