import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { runCollective } from "../../collectives/registry.js";
import { latencyOf, type Network } from "../cluster/network.js";
import { LINKS } from "../cluster/presets.js";
import { crossbar, fatTree, servers, torus } from "../cluster/topologies.js";
import { collectiveRounds, collectiveSeconds, roundSeconds } from "./rounds.js";
import { simulatePrograms } from "./virtual-cluster.js";

const GBIT = 1e9 / 8;
const port = { bandwidth: 1e9, latency: 1e-6 };
const everyone = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

const networks: Readonly<Record<string, Network>> = {
  crossbar: crossbar(6, port),
  ring: torus([5], port),
  "2-D torus": torus([3, 4], port),
  "3-D torus": torus([2, 3, 4], port),
  "fat tree": fatTree(4, port),
  servers: servers({
    ...{ servers: 4, perServer: 4, inside: LINKS.nvlink3, card: LINKS.infiniband100, cards: 2 },
    ...{ perRack: 2, oversubscription: 4 },
  }),
};

describe("topologies", () => {
  it.each(Object.entries(networks))(
    "%s: every route starts at its device, hangs together and ends there",
    (_, network) => {
      const ends = network.links.map(({ name }) => name.split(" → "));
      for (let from = 0; from < network.devices; from++)
        for (let to = 0; to < network.devices; to++) {
          const way = network.route(from, to);
          if (from === to) expect(way).toEqual([]);
          else {
            const name = (end: string): string => end.replace(/^device /, "");
            expect(name(ends[way[0]][0])).toBe(String(from));
            expect(name(ends[way.at(-1)!][1])).toBe(String(to));
            expect(new Set(way).size).toBe(way.length);
          }
        }
      expect(() => network.route(0, network.devices)).toThrow(
        `devices are numbered 0 … ${network.devices - 1}`,
      );
    },
  );

  it("a torus goes the shorter way round", () => {
    const network = torus([8, 8], port);
    expect(network.route(0, 7)).toHaveLength(1);
    expect(network.route(0, 4 * 8 + 4)).toHaveLength(8);
    expect(latencyOf(network, network.route(0, 9))).toBeCloseTo(2e-6, 12);
  });

  it("a fat tree has full bisection: a shift by half of the devices runs at line rate", () => {
    const network = fatTree(8, { bandwidth: 1e9, latency: 0 });
    const half = network.devices / 2;
    const shift = everyone(network.devices).map((i) => ({
      from: i,
      to: (i + half) % network.devices,
      bytes: 1e6,
    }));
    expect(roundSeconds(network, shift)).toBeCloseTo(1e-3, 9);
  });

  it("the book's two servers with 10 Gb/s each into one uplink of 10 Gb/s get half", () => {
    const network = servers({
      ...{ servers: 4, perServer: 1, inside: { bandwidth: 1e12, latency: 0 } },
      ...{ card: { bandwidth: 10 * GBIT, latency: 0 }, perRack: 2, oversubscription: 2 },
    });
    // 10 Gb from each server of rack 0 to one of rack 1: two seconds, not one
    const both = [
      { from: 0, to: 2, bytes: 10 * GBIT },
      { from: 1, to: 3, bytes: 10 * GBIT },
    ];
    expect(roundSeconds(network, both)).toBeCloseTo(2, 9);
    expect(roundSeconds(network, both.slice(0, 1))).toBeCloseTo(1, 9);
    // inside of the rack nobody feels the uplink
    expect(roundSeconds(network, [{ from: 0, to: 1, bytes: 10 * GBIT }, both[1]])).toBeCloseTo(1, 9);
  });

  it("refuses sizes that can't be", () => {
    expect(() => crossbar(0, port)).toThrow("the number of devices is a whole number from 1, got 0");
    expect(() => torus([], port)).toThrow("at least one dimension");
    expect(() => fatTree(3, port)).toThrow("k is even");
    expect(() =>
      servers({ servers: 2, perServer: 2, inside: port, card: port, oversubscription: 0.5 }),
    ).toThrow("oversubscription is 1 or more, got 0.5");
  });
});

describe("the library's collectives in virtual time", () => {
  it("give right results, whatever the network", async () => {
    for (const network of Object.values(networks)) {
      const p = network.devices;
      const { results, seconds } = await simulatePrograms(network, async ({ rank, member }) => {
        const values = Float32Array.from({ length: 11 }, (_, i) => rank + i);
        const data = new Uint8Array(values.buffer);
        await runCollective("allReduce", member(0), { data, dtype: "float32", op: "sum" });
        return [...values];
      });
      const wanted = everyone(11).map((i) => (p * (p - 1)) / 2 + p * i);
      for (const result of results) expect(result).toEqual(wanted);
      expect(seconds).toBeGreaterThan(0);
    }
  });

  it("a ring allReduce takes 2(p−1)(a + b·l/p), as the book's model says", async () => {
    for (const p of [2, 3, 8, 16]) {
      const bytes = 4800;
      const data = new Uint8Array(bytes);
      const { seconds } = await simulatePrograms(
        crossbar(p, port),
        async ({ member }) =>
          runCollective("allReduce", member(0), { data, dtype: "float32", op: "sum" }, "ring"),
        { payload: "phantom" },
      );
      expect(seconds).toBeCloseTo(2 * (p - 1) * (1e-6 + bytes / p / 1e9), 12);
    }
  });

  it("the rounds' closed form is the full simulation where members move in step, and never less elsewhere", async () => {
    const cases = [
      { kind: "allReduce", algorithm: "ring", exact: true },
      { kind: "allGather", algorithm: "ring", exact: true },
      { kind: "reduceScatter", algorithm: "ring", exact: true },
      { kind: "broadcast", algorithm: "tree", exact: false },
      { kind: "allToAll", algorithm: "pairwise", exact: true },
    ] as const;
    for (const [name, network, each] of Object.entries(networks).flatMap(([name, network]) =>
      [1200, 1.2e6].map((each) => [name, network, each] as const),
    )) {
      const p = network.devices;
      const bytes = each * p;
      for (const { kind, algorithm, exact } of cases) {
        const counts = everyone(p).map(() => bytes / p);
        const data = new Uint8Array(bytes);
        const requests = {
          allReduce: { data, dtype: "float32", op: "sum" },
          allGather: { data, counts },
          reduceScatter: { data, counts, dtype: "float32", op: "sum" },
          broadcast: { data, root: 0 },
          allToAll: { from: data, into: data, sendCounts: counts, receiveCounts: counts },
        } as const;
        const options = { payload: "phantom", combineSecondsPerByte: 1e-9 } as const;
        const { seconds } = await simulatePrograms(
          network,
          async ({ member }) => runCollective(kind, member(0), requests[kind], algorithm),
          options,
        );
        const closed = collectiveSeconds(network, [everyone(p)], `${kind} ${algorithm}`, bytes, options);
        const symmetric = name === "crossbar" || (name === "ring" && exact);
        if (symmetric || kind === "allGather") expect(closed).toBeCloseTo(seconds, 12);
        expect(closed / seconds).toBeGreaterThan(1 - 1e-9);
        if (each > 1e5) expect(closed / seconds).toBeLessThan(1.07); // long messages
      }
    }
  });

  it("16,384 devices: the ring's cost is that of one round", () => {
    const network = servers({
      ...{ servers: 2048, perServer: 8, inside: LINKS.nvlink3, card: LINKS.infiniband200, perRack: 16 },
      oversubscription: 4,
    });
    const p = network.devices;
    const bytes = 700e9; // gradients of GPT-3 in float32
    const seconds = collectiveSeconds(network, [everyone(p)], "allReduce ring", bytes);
    // the ring leaves each server once, through one card of 25 GB/s; each rack once, through an uplink that is wide enough
    const [a, b] = [LINKS.nvlink3.latency + 2 * LINKS.infiniband200.latency, 1 / 25e9];
    expect(seconds).toBeCloseTo(2 * (p - 1) * (a + (b * bytes) / p), 6);
  });

  it("groups side by side share the uplink of their rack", () => {
    const network = (oversubscription: number): Network =>
      servers({
        ...{
          servers: 4,
          perServer: 2,
          inside: LINKS.nvlink3,
          card: LINKS.infiniband100,
          perRack: 2,
          oversubscription,
        },
      });
    // every device reduces with those at its place in the other servers, taken so that each step leaves the rack
    const groups = [0, 1].map((place) => [0, 2, 1, 3].map((server) => server * 2 + place));
    const time = (oversubscription: number): number =>
      collectiveSeconds(network(oversubscription), groups, "allReduce ring", 1e9);
    expect(time(4) / time(1)).toBeCloseTo(4, 2);
    expect(time(1)).toBeLessThan(time(2));
  });

  it("more members never make an allReduce of the same bytes cheaper in messages, nor a wider link dearer", () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 64 }), fc.integer({ min: 1, max: 1e6 }), (p, bytes) => {
        const time = (n: number, bandwidth: number): number =>
          collectiveSeconds(
            crossbar(n, { bandwidth, latency: 1e-6 }),
            [everyone(n)],
            "allReduce ring",
            bytes,
          );
        expect(time(p + 1, 1e9)).toBeGreaterThan(time(p, 1e9));
        expect(time(p, 2e9)).toBeLessThanOrEqual(time(p, 1e9));
      }),
      { numRuns: 30 },
    );
  });

  it("errors say who waits, and what is not known", async () => {
    await expect(
      simulatePrograms(crossbar(2, port), async ({ rank, transport }) => {
        if (rank === 1) await transport.receive(0, 7, new Uint8Array(1));
      }),
    ).rejects.toThrow("members wait for ever: 1 for a message of 0 (tag 7)");
    await expect(
      simulatePrograms(crossbar(2, port), async ({ rank, transport }) =>
        rank === 0 ? transport.send(1, 0, new Uint8Array(2)) : transport.receive(0, 0, new Uint8Array(1)),
      ),
    ).rejects.toThrow("expected 1 bytes from rank 0, it sent 2");
    await expect(simulatePrograms(crossbar(1, port), async ({ compute }) => compute(-1))).rejects.toThrow(
      "seconds are 0 or more, got -1",
    );
    await expect(
      simulatePrograms(
        crossbar(2, port),
        async ({ rank, transport }) => rank === 0 && transport.send(1, 0, new Uint8Array(2)),
        {
          rendezvousFrom: 1,
        },
      ),
    ).rejects.toThrow("0 for 1 to receive");
    expect(() => collectiveRounds("allReduce magic", 2, 1)).toThrow("there are allReduce ring");
    expect(() => collectiveRounds("allReduce halving-doubling", 3, 1)).toThrow(
      "a power of two of members, got 3",
    );
  });

  it("messages of a pair go one after the other, latency beside; the sender may change its bytes afterwards", async () => {
    const { results, finished } = await simulatePrograms(crossbar(2, port), async ({ rank, transport }) => {
      if (rank === 0) {
        const bytes = new Uint8Array(1000).fill(1);
        const first = transport.send(1, 0, bytes);
        const second = transport.send(1, 0, new Uint8Array(1000).fill(2));
        await first;
        bytes.fill(9);
        await second;
        return [];
      }
      const got = [new Uint8Array(1000), new Uint8Array(1000)];
      for (const into of got) await transport.receive(0, 0, into);
      return got.map(([x]) => x);
    });
    expect(results[1]).toEqual([1, 2]);
    expect(finished[1]).toBeCloseTo(3e-6, 12); // 1 of latency, 2 × 1 on the wire
  });

  it("cores that are shared slow work down", async () => {
    const network = {
      ...crossbar(4, port),
      links: [...crossbar(4, port).links, { name: "cores", bandwidth: 2, latency: 0 }],
    };
    const core = network.links.length - 1;
    const { finished, spans } = await simulatePrograms(
      network,
      async ({ rank, compute }) => compute(rank < 3 ? 1 : 0.5),
      {
        work: () => ({ links: [core], cap: 1 }),
        record: true,
      },
    );
    // four on two cores: half speed until the short one is done at 1 s, then three on two
    expect(finished).toEqual([1.75, 1.75, 1.75, 1]);
    expect(spans).toHaveLength(4);
  });
});
