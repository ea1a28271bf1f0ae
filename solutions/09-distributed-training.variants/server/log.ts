// expect: correct
// why: keeps every gradient by iteration and worker
type Mode = { kind: "sync" } | { kind: "async" } | { kind: "stale"; bound: number } | { kind: "backup"; enough: number };

class ParameterServer {
  private current: number[];
  private readonly seen = new Set<string>();
  private readonly rounds = new Map<number, number[][]>();
  private readonly done = new Set<number>();

  constructor(
    value: Float64Array,
    readonly workers: number,
    readonly rate: number,
    readonly mode: Mode,
  ) {
    this.current = [...value];
  }

  push(worker: number, iteration: number, gradient: Float64Array): "applied" | "kept" | "dropped" | "duplicate" {
    const id = `${worker}/${iteration}`;
    if (this.seen.has(id)) return "duplicate";
    this.seen.add(id);
    if (this.mode.kind === "async" || this.mode.kind === "stale") {
      this.current = this.current.map((x, i) => x - this.rate * gradient[i]);
      return "applied";
    }
    if (this.done.has(iteration)) return "dropped";
    const round = [...(this.rounds.get(iteration) ?? []), [...gradient]];
    this.rounds.set(iteration, round);
    const needed = this.mode.kind === "sync" ? this.workers : this.mode.enough;
    if (round.length < needed) return "kept";
    this.done.add(iteration);
    this.current = this.current.map((x, i) => x - (this.rate * round.map((g) => g[i]).reduce((a, b) => a + b)) / needed);
    return "applied";
  }

  pull(_worker: number, iteration: number): Float64Array | null {
    if (this.mode.kind === "stale") {
      const counts = Array.from({ length: this.workers }, (_, w) => [...this.seen].filter((id) => id.startsWith(`${w}/`)).length);
      if (iteration - Math.min(...counts) > this.mode.bound) return null;
    } else if (this.mode.kind !== "async") {
      for (let i = 0; i < iteration; i++) if (!this.done.has(i)) return null;
    }
    return Float64Array.from(this.current);
  }
}
