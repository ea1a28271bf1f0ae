/** How often something comes, by the machine's clock. */
export class ArrivalRate {
  /** How often it came. */
  total = 0;
  private readonly recent: number[] = [];

  constructor(private readonly now: () => number = () => performance.now()) {}

  count(): void {
    this.total++;
    this.recent.push(this.now());
    if (this.recent.length > 50) this.recent.shift();
  }

  /** Over the last 50; NaN before the second. */
  get hertz(): number {
    const { recent } = this;
    const span = recent[recent.length - 1] - recent[0];
    return recent.length < 2 ? Number.NaN : (1000 * (recent.length - 1)) / span;
  }
}
