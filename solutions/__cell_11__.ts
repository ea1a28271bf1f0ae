type Mode = { kind: "sync" } | { kind: "async" } | { kind: "stale"; bound: number } | { kind: "backup"; enough: number };

/** Holds a value that workers train. */
class ParameterServer {
  // BEGIN SOLUTION
  // STUB: // YOUR CODE HERE: what it has to remember
  private readonly value: Float64Array;
  /** Iterations that each worker has pushed. */
  private readonly pushed: number[];
  private kept: Float64Array[] = [];
  private complete = 0;
  // END SOLUTION
  constructor(
    value: Float64Array,
    readonly workers: number,
    readonly rate: number,
    readonly mode: Mode,
  ) {
    // BEGIN SOLUTION
    // STUB: // YOUR CODE HERE
    this.value = value.slice();
    this.pushed = new Array(workers).fill(0);
    // END SOLUTION
  }

  push(worker: number, iteration: number, gradient: Float64Array): "applied" | "kept" | "dropped" | "duplicate" {
    // BEGIN SOLUTION
    if (iteration < this.pushed[worker]) return "duplicate";
    this.pushed[worker] = iteration + 1;
    const { kind } = this.mode;
    if (kind === "async" || kind === "stale") {
      this.apply([gradient]);
      return "applied";
    }
    if (iteration < this.complete) return "dropped";
    this.kept.push(gradient.slice());
    if (this.kept.length < (this.mode.kind === "backup" ? this.mode.enough : this.workers)) return "kept";
    this.apply(this.kept);
    this.kept = [];
    this.complete++;
    return "applied";
    // END SOLUTION
  }

  pull(worker: number, iteration: number): Float64Array | null {
    // BEGIN SOLUTION
    const { mode } = this;
    if (mode.kind === "stale" && iteration - Math.min(...this.pushed) > mode.bound) return null;
    if ((mode.kind === "sync" || mode.kind === "backup") && iteration > this.complete) return null;
    return this.value.slice();
    // END SOLUTION
  }
  // BEGIN SOLUTION
  // STUB: // YOUR CODE HERE, if you want help of your own

  private apply(gradients: Float64Array[]): void {
    for (let i = 0; i < this.value.length; i++)
      this.value[i] -= (this.rate * gradients.reduce((sum, g) => sum + g[i], 0)) / gradients.length;
  }
  // END SOLUTION
}
export { Mode, ParameterServer };
