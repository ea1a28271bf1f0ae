/** Latencies of requests: measured with so many at a time, and summed up. */
import { ValueError } from "../../core/errors.js";
import { asServeError, type ServeCode } from "./errors.js";

export interface LatencyOptions {
  /** Default 100. */
  readonly requests?: number;
  /** Requests at a time. Default 1. */
  readonly concurrency?: number;
}

/** What requests took. */
export class Latencies {
  constructor(
    /** Of requests that were answered, in the order of their answers. */
    readonly milliseconds: readonly number[],
    /** Requests that failed, by code. */
    readonly failures: Readonly<Partial<Record<ServeCode, number>>>,
    /** Milliseconds from the first request to the last answer. */
    readonly elapsed: number,
  ) {}

  /** Answers per second. */
  get throughput(): number {
    return (1000 * this.milliseconds.length) / this.elapsed;
  }

  /**
   * The smallest latency that `p` percent do not exceed; NaN without any.
   * @throws ValueError if `p` is not from 0 to 100.
   */
  percentile(p: number): number {
    if (!(p >= 0 && p <= 100)) throw new ValueError(`percentile: from 0 to 100, got ${p}`);
    const sorted = [...this.milliseconds].sort((a, b) => a - b);
    if (sorted.length === 0) return Number.NaN;
    return sorted[Math.max(0, Math.ceil((p / 100) * sorted.length) - 1)];
  }

  toString(): string {
    const [p50, p99] = [50, 99].map((p) => this.percentile(p).toFixed(2));
    const failed = Object.entries(this.failures).map(([code, count]) => `, ${count} ${code}`);
    return `Latencies(${this.milliseconds.length} answers, p50 ${p50} ms, p99 ${p99} ms, ${this.throughput.toFixed(0)}/s${failed.join("")})`;
  }
}

/** @param request resolves to its milliseconds; what it throws is counted by code */
export async function measure(
  request: () => Promise<number>,
  { requests = 100, concurrency = 1 }: LatencyOptions,
): Promise<Latencies> {
  if (![requests, concurrency].every((n) => Number.isSafeInteger(n) && n >= 1))
    throw new ValueError(
      `latencies: at least one request and one at a time, got ${requests} and ${concurrency}`,
    );
  const milliseconds: number[] = [];
  const failures: Partial<Record<ServeCode, number>> = {};
  const started = performance.now();
  let left = requests;
  const worker = async (): Promise<void> => {
    while (left-- > 0) {
      try {
        milliseconds.push(await request());
      } catch (error) {
        const { code } = asServeError(error);
        failures[code] = (failures[code] ?? 0) + 1;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, requests) }, worker));
  return new Latencies(milliseconds, failures, performance.now() - started);
}
