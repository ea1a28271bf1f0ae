// expect: wrong 7/11
// fails: each push counts once | two workers on threads
// why: a push that is sent again counts again
type Mode = { kind: "sync" } | { kind: "async" } | { kind: "stale"; bound: number } | { kind: "backup"; enough: number };

/** Holds a value that workers train. */
class ParameterServer {
  private readonly value: Float64Array;
  /** Iterations that each worker has pushed. */
  private readonly pushed: number[];
  private kept: Float64Array[] = [];
  private complete = 0;
  constructor(
    value: Float64Array,
    readonly workers: number,
    readonly rate: number,
    readonly mode: Mode,
  ) {
    this.value = value.slice();
    this.pushed = new Array(workers).fill(0);
  }

  push(worker: number, iteration: number, gradient: Float64Array): "applied" | "kept" | "dropped" | "duplicate" {
    
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
  }

  pull(worker: number, iteration: number): Float64Array | null {
    const { mode } = this;
    if (mode.kind === "stale" && iteration - Math.min(...this.pushed) > mode.bound) return null;
    if ((mode.kind === "sync" || mode.kind === "backup") && iteration > this.complete) return null;
    return this.value.slice();
  }

  private apply(gradients: Float64Array[]): void {
    for (let i = 0; i < this.value.length; i++)
      this.value[i] -= (this.rate * gradients.reduce((sum, g) => sum + g[i], 0)) / gradients.length;
  }
}
