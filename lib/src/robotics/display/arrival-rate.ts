/** How often something comes: by its stamps where it has any, so that simulated time may run as fast as it likes. */
export class ArrivalRate {
  /** How often it came. */
  total = 0;
  private readonly recent: number[] = [];

  /** @param at seconds; default the machine's clock */
  count(at = performance.now() / 1000): void {
    this.total++;
    if (at < this.recent[this.recent.length - 1]) this.recent.length = 0; // time was set back
    this.recent.push(at);
    if (this.recent.length > 50) this.recent.shift();
  }

  /** Over the last 50; NaN before the second. */
  get hertz(): number {
    const { recent } = this;
    const span = recent[recent.length - 1] - recent[0];
    return recent.length < 2 ? Number.NaN : (recent.length - 1) / span;
  }
}
