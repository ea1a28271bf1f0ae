/**
 * Workers and parameter servers under stragglers, event by event: who waits for whom, how stale gradients are, what the
 * servers' links carry. (Book, chapter 9: the parameter server; Li et al., OSDI 2014; Ho et al., NeurIPS 2013 for bounded
 * staleness; Chen et al. 2016 for backup workers.)
 */
import { ValueError } from "../../../core/errors.js";
import { WordStream } from "../../../core/random.js";
import type { Span } from "../../../viz/timeline.js";
import { count, demandOf, latencyOf, type Network } from "../cluster/network.js";
import { Fluid } from "../engine/fluid.js";

/** How workers wait for each other. */
export type ServerMode =
  | { readonly kind: "synchronous" }
  /** A round ends when this part of the workers has pushed; what comes later is thrown away. The book's 90 %. */
  | { readonly kind: "backup"; readonly part: number }
  | { readonly kind: "asynchronous" }
  /** Nobody is more than so many steps ahead of the slowest. */
  | { readonly kind: "stale"; readonly bound: number };

export interface ServerJob {
  readonly workers: number;
  /** Parameters are cut evenly over them. Devices workers … workers + servers − 1 of the network. */
  readonly servers: number;
  /** Bytes of all parameters, and of a gradient. */
  readonly bytes: number;
  /** Seconds of a worker's step without stragglers. */
  readonly compute: number;
  /** A step is `slowdown` times as long with this probability; and the last worker is always so slow, if `slowWorker`. */
  readonly straggle?: {
    readonly probability: number;
    readonly slowdown: number;
    readonly slowWorker?: boolean;
  };
  readonly mode: ServerMode;
  /** Simulated until so many gradients have been applied. */
  readonly updates: number;
  /** Default 0. */
  readonly seed?: number;
}

export interface ServerRun {
  readonly seconds: number;
  readonly updatesPerSecond: number;
  /** Steps that each worker has finished. */
  readonly steps: readonly number[];
  /** Gradients that came too late and were thrown away. */
  readonly dropped: number;
  /** How many updates others had applied between a worker's pull and its push, for each update. */
  readonly staleness: readonly number[];
  /** Part of the workers' time spent computing. */
  readonly busy: number;
  /** Bytes by link. */
  readonly carried: Float64Array;
  readonly spans: readonly Span[];
}

/**
 * Runs workers against parameter servers: compute, push a gradient, pull parameters, again.
 * @throws ValueError for counts that the network has no devices for, and bounds that are none
 * @example
 * const job = { workers: 10, servers: 2, bytes: 1e6, compute: 0.1, updates: 400, straggle: { probability: 0.1, slowdown: 10 } };
 * const network = crossbar(12, LINKS.ethernet10);
 * const waiting = simulateParameterServer(network, { ...job, mode: { kind: "synchronous" } });
 * const most = simulateParameterServer(network, { ...job, mode: { kind: "backup", part: 0.9 } });
 * most.updatesPerSecond > waiting.updatesPerSecond // true
 */
export function simulateParameterServer(network: Network, job: ServerJob): ServerRun {
  const { workers, servers, bytes, compute, mode, updates } = job;
  count(workers, "simulateParameterServer: the number of workers");
  count(servers, "simulateParameterServer: the number of servers");
  count(updates, "simulateParameterServer: the number of updates");
  if (network.devices < workers + servers)
    throw new ValueError(
      `simulateParameterServer: ${workers} workers and ${servers} servers want as many devices, the network has ${network.devices}`,
    );
  if (mode.kind === "backup" && !(mode.part > 0 && mode.part <= 1))
    throw new ValueError(
      `simulateParameterServer: a round waits for a part of the workers in (0, 1], got ${mode.part}`,
    );
  if (mode.kind === "stale" && !(Number.isInteger(mode.bound) && mode.bound >= 0))
    throw new ValueError(`simulateParameterServer: the bound is a whole number from 0, got ${mode.bound}`);

  const fluid = new Fluid(network.links.map(({ bandwidth }) => bandwidth));
  const slow = slownessOf(job);
  const steps = new Array<number>(workers).fill(0);
  const pulledAt = new Array<number>(workers).fill(0); // version of the parameters
  const spans: Span[] = [];
  const staleness: number[] = [];
  let [version, dropped, busySeconds, applied] = [0, 0, 0, 0];
  // rounds of the synchronous modes: who has pushed, and who waits for its end
  const needed = mode.kind === "backup" ? Math.max(1, Math.ceil(workers * mode.part)) : workers;
  let round = 0;
  let pushed = 0;
  const waiting: number[] = [];
  const over = (): boolean => applied >= updates;

  /** To or from all servers at once; `then` when the last part has come. */
  const exchange = (worker: number, push: boolean, then: () => void): void => {
    let left = servers;
    for (let s = 0; s < servers; s++) {
      const [from, to] = push ? [worker, workers + s] : [workers + s, worker];
      const delay = latencyOf(network, network.route(from, to));
      fluid.start({ ...demandOf(network, from, to), amount: bytes / servers, delay }, () => {
        if (--left === 0) then();
      });
    }
  };
  const span = (worker: number, name: string, start: number): void => {
    spans.push({ lane: `worker ${worker}`, name, start: start * 1e3, end: fluid.time * 1e3 });
  };
  const work = (worker: number): void => {
    if (over()) return;
    const start = fluid.time;
    const mine = round;
    fluid.at(start + compute * slow(worker), () => {
      span(worker, "compute", start);
      busySeconds += fluid.time - start;
      const sent = fluid.time;
      exchange(worker, true, () => {
        span(worker, "push", sent);
        arrived(worker, mine);
      });
    });
  };
  const pull = (worker: number): void => {
    if (over()) return;
    const start = fluid.time;
    const got = version;
    exchange(worker, false, () => {
      span(worker, "pull", start);
      pulledAt[worker] = got;
      work(worker);
    });
  };
  const apply = (worker: number): void => {
    staleness.push(version - pulledAt[worker]);
    applied++;
  };
  const arrived = (worker: number, mine: number): void => {
    if (over()) return;
    steps[worker]++;
    if (mode.kind === "asynchronous" || mode.kind === "stale") {
      apply(worker);
      version++;
      waiting.push(worker);
      const slowest = mode.kind === "stale" ? Math.min(...steps) : Number.POSITIVE_INFINITY;
      const bound = mode.kind === "stale" ? mode.bound : 0;
      for (const w of waiting.splice(0))
        if (steps[w] - slowest <= bound) pull(w);
        else waiting.push(w);
      return;
    }
    if (mine < round) {
      dropped++; // its round is over: it takes the newest parameters and joins the present one
      pull(worker);
      return;
    }
    apply(worker);
    waiting.push(worker);
    if (++pushed < needed) return;
    round++;
    pushed = 0;
    version++;
    for (const w of waiting.splice(0)) pull(w);
  };
  for (let worker = 0; worker < workers; worker++) fluid.at(0, () => work(worker));
  while (!over() && fluid.step());
  return {
    ...{ seconds: fluid.time, updatesPerSecond: applied / fluid.time, steps, dropped, staleness, spans },
    ...{ busy: busySeconds / (fluid.time * workers), carried: fluid.carried },
  };
}

/** How many times as long each next step of a worker takes; the same for a seed whatever the mode. */
function slownessOf({ workers, straggle, seed = 0 }: ServerJob): (worker: number) => number {
  const streams = Array.from({ length: workers }, (_, worker) => new WordStream([seed, worker]));
  return (worker) => {
    const chance = streams[worker].next() / 2 ** 32;
    if (!straggle) return 1;
    const always = straggle.slowWorker === true && worker === workers - 1;
    return always || chance < straggle.probability ? straggle.slowdown : 1;
  };
}
