import { describe, expect, it } from "vitest";
import { crossbar } from "../cluster/topologies.js";
import { type ServerJob, type ServerMode, simulateParameterServer } from "./parameter-server.js";

const network = crossbar(12, { bandwidth: 1e9, latency: 10e-6 });
const job = (mode: ServerMode, more: Partial<ServerJob> = {}): ServerJob => ({
  ...{ workers: 10, servers: 2, bytes: 1e6, compute: 0.1, mode, updates: 400 },
  straggle: { probability: 0.1, slowdown: 10 },
  ...more,
});

describe("a parameter server under stragglers", () => {
  it("without stragglers a synchronous round is compute, push and pull over the servers' links", () => {
    const { seconds } = simulateParameterServer(
      network,
      job({ kind: "synchronous" }, { straggle: undefined, updates: 10 }),
    );
    // ten workers push a megabyte each to two servers with a gigabyte a second each
    expect(seconds).toBeCloseTo(0.1 + 10e-6 + (10 * 1e6) / 2 / 1e9, 9);
    const rounds = simulateParameterServer(
      network,
      job({ kind: "synchronous" }, { straggle: undefined, updates: 50 }),
    );
    expect(rounds.seconds).toBeCloseTo(5 * (0.1 + 10e-6 + 5e-3) + 4 * (10e-6 + 5e-3), 9);
    expect(rounds.steps).toEqual(new Array(10).fill(5));
  });

  it("waiting for 90 % beats waiting for all; asynchronous workers never wait, and are stale", () => {
    const [all, most, bounded, none] = (
      [
        { kind: "synchronous" },
        { kind: "backup", part: 0.9 },
        { kind: "stale", bound: 3 },
        { kind: "asynchronous" },
      ] as const
    ).map((mode) => simulateParameterServer(network, job(mode)));
    expect(most.updatesPerSecond).toBeGreaterThan(1.15 * all.updatesPerSecond);
    expect(none.updatesPerSecond).toBeGreaterThan(bounded.updatesPerSecond);
    expect(bounded.updatesPerSecond).toBeGreaterThan(all.updatesPerSecond);
    expect(none.busy).toBeGreaterThan(0.9);
    expect(all.busy).toBeLessThan(0.5);
    expect(Math.max(...all.staleness, ...most.staleness)).toBe(0);
    expect([all.dropped, none.dropped]).toEqual([0, 0]);
    expect(most.dropped).toBeGreaterThan(0);
    const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
    expect(mean(none.staleness)).toBeGreaterThan(5); // about the number of the others
  });

  it("bounded staleness keeps its bound with a worker that is always slow, asynchronous ones run away from it", () => {
    const slow = { straggle: { probability: 0, slowdown: 20, slowWorker: true }, updates: 150 };
    const bounded = simulateParameterServer(network, job({ kind: "stale", bound: 2 }, slow));
    const free = simulateParameterServer(network, job({ kind: "asynchronous" }, slow));
    const spread = (steps: readonly number[]): number => Math.max(...steps) - Math.min(...steps);
    expect(spread(bounded.steps)).toBeLessThanOrEqual(3); // two ahead, and the step under way
    expect(spread(free.steps)).toBeGreaterThan(10);
    expect(free.seconds).toBeLessThan(bounded.seconds);
  });

  it("a seed gives the same run each time; all bytes cross the servers' links", () => {
    const one = simulateParameterServer(network, job({ kind: "asynchronous" }, { seed: 3 }));
    expect(simulateParameterServer(network, job({ kind: "asynchronous" }, { seed: 3 })).seconds).toBe(
      one.seconds,
    );
    expect(simulateParameterServer(network, job({ kind: "asynchronous" }, { seed: 4 })).seconds).not.toBe(
      one.seconds,
    );
    const downTo = [10, 11].map((server) => one.carried[2 * server + 1]);
    expect(downTo[0]).toBeGreaterThanOrEqual((400 * 1e6) / 2 - 1);
    expect(downTo[0]).toBeCloseTo(downTo[1], -3);
  });

  it("more servers never make it slower", () => {
    const time = (servers: number): number =>
      simulateParameterServer(crossbar(18, { bandwidth: 1e9, latency: 10e-6 }), {
        ...job({ kind: "synchronous" }, { straggle: undefined }),
        servers,
        bytes: 50e6,
        updates: 50,
      }).seconds;
    expect(time(2)).toBeLessThan(time(1));
    expect(time(8)).toBeLessThan(time(2));
  });

  it("refuses what can't be", () => {
    const refused =
      (mode: ServerMode, more: Partial<ServerJob> = {}): (() => unknown) =>
      () =>
        simulateParameterServer(network, job(mode, more));
    expect(refused({ kind: "synchronous" }, { workers: 11 })).toThrow(
      "11 workers and 2 servers want as many devices",
    );
    expect(refused({ kind: "backup", part: 0 })).toThrow("a part of the workers in (0, 1], got 0");
    expect(refused({ kind: "stale", bound: -1 })).toThrow("a whole number from 0, got -1");
    expect(refused({ kind: "synchronous" }, { updates: 0 })).toThrow(
      "the number of updates is a whole number from 1",
    );
  });
});
