import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { robotics } from "../../index.js";
import { KeyedHeap } from "./heap.js";

const { plan } = robotics;
type GridMap = robotics.plan.GridMap;

/** Maps of up to 14 × 14 with some share of obstacles, some with extra costs. */
const anyMap = fc
  .record({
    width: fc.integer({ min: 1, max: 14 }),
    height: fc.integer({ min: 1, max: 14 }),
    share: fc.constantFrom(0, 0.2, 0.4),
    costly: fc.boolean(),
    seed: fc.integer({ min: 1, max: 1e6 }),
  })
  .map(({ width, height, share, costly, seed }) => {
    const draw = drawer(seed);
    const map = new plan.GridMap(width, height, { resolution: 0.5, origin: [-1, 2] });
    for (let i = 0; i < map.size; i++) {
      if (draw() < share) map.set(i, 100);
      if (costly) map.costs[i] = Math.round(draw() * 4);
    }
    return { map, draw };
  });

function drawer(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
}

/** Bellman and Ford's costs: every edge is looked at until none helps. */
function bellmanFord(graph: robotics.plan.SearchGraph, start: number): number[] {
  const costs = new Array<number>(graph.size).fill(Number.POSITIVE_INFINITY);
  costs[start] = 0;
  for (let changed = true; changed; ) {
    changed = false;
    for (let node = 0; node < graph.size; node++)
      graph.neighbours(node, (next, cost) => {
        if (costs[node] + cost < costs[next] - 1e-12) {
          costs[next] = costs[node] + cost;
          changed = true;
        }
      });
  }
  return costs;
}

function costOf(graph: robotics.plan.SearchGraph, path: readonly number[]): number {
  let sum = 0;
  for (let i = 1; i < path.length; i++) {
    let edge = Number.POSITIVE_INFINITY;
    graph.neighbours(path[i - 1], (next, cost) => {
      if (next === path[i]) edge = cost;
    });
    sum += edge;
  }
  return sum;
}

const close = (a: number, b: number): boolean => a === b || Math.abs(a - b) < 1e-9 * (1 + Math.abs(a));

describe("searches on grids", () => {
  it("find the costs of Bellman and Ford, with four and eight neighbours", () => {
    fc.assert(
      fc.property(anyMap, fc.constantFrom(4, 8), ({ map, draw }, connectivity) => {
        const graph = new plan.GridGraph(map, connectivity as 4 | 8);
        const [start, goal] = [Math.floor(draw() * map.size), Math.floor(draw() * map.size)];
        const wanted = bellmanFord(graph, start);
        plan.dijkstra(graph, start).forEach((cost, node) => {
          expect(close(cost, wanted[node])).toBe(true);
        });
        const blind = plan.aStar(graph, start, goal);
        const informed = plan.aStar(graph, start, goal, { heuristic: graph.heuristic });
        for (const found of [blind, informed]) {
          expect(close(found.cost, wanted[goal])).toBe(true);
          expect(found.path === null).toBe(wanted[goal] === Number.POSITIVE_INFINITY);
          if (found.path) expect(close(costOf(graph, found.path), found.cost)).toBe(true);
        }
        const weighted = plan.aStar(graph, start, goal, { heuristic: graph.heuristic, weight: 2 });
        if (informed.path) expect(weighted.cost).toBeLessThanOrEqual(2 * informed.cost + 1e-9);
        else expect(weighted.path).toBeNull();
      }),
      { numRuns: 80 },
    );
  });

  it("have a consistent heuristic: it never falls by more than an edge costs", () => {
    fc.assert(
      fc.property(anyMap, fc.constantFrom(4, 8), ({ map, draw }, connectivity) => {
        const graph = new plan.GridGraph(map, connectivity as 4 | 8);
        const goal = Math.floor(draw() * map.size);
        for (let node = 0; node < map.size; node++)
          graph.neighbours(node, (next, cost) => {
            expect(graph.heuristic(node, goal)).toBeLessThanOrEqual(
              cost + graph.heuristic(next, goal) + 1e-12,
            );
          });
      }),
      { numRuns: 30 },
    );
  });

  it("stay right with an admissible heuristic that is not consistent", () => {
    // 0 → 1 → 3 → 4 and 0 → 2 → 3: node 3 is first reached the dear way
    const edges = [
      [
        [1, 1],
        [2, 1.5],
      ],
      [[3, 2]],
      [[3, 1]],
      [[4, 10]],
      [],
    ] as [number, number][][];
    const graph = {
      size: 5,
      neighbours: (node: number, visit: (n: number, c: number) => void) => {
        for (const [n, c] of edges[node]) visit(n, c);
      },
    };
    const heuristic = (node: number): number => [0, 0, 11, 0, 0][node];
    expect(plan.aStar(graph, 0, 4, { heuristic }).cost).toBeCloseTo(12.5, 12);
  });

  it("expand fewer nodes the more the heuristic knows", () => {
    const map = new plan.GridMap(60, 60);
    for (let row = 5; row < 60; row++) map.set(row * 60 + 30, 100);
    const graph = new plan.GridGraph(map);
    const [start, goal] = [20 * 60 + 10, 20 * 60 + 50];
    const blind = plan.aStar(graph, start, goal);
    const informed = plan.aStar(graph, start, goal, { heuristic: graph.heuristic });
    const greedy = plan.aStar(graph, start, goal, { heuristic: graph.heuristic, weight: 3 });
    expect(informed.expanded).toBeLessThan(0.7 * blind.expanded);
    expect(greedy.expanded).toBeLessThan(informed.expanded);
  });

  it("don't cut corners", () => {
    const graph = new plan.GridGraph(plan.GridMap.parse("..\n#."), 8);
    // cell 1 is below right; cell 2 above left of it, the corner between them occupied
    expect(plan.aStar(graph, 1, 2).cost).toBe(2);
  });

  it("at any angle are no longer than along the grid, and pass no obstacle", () => {
    fc.assert(
      fc.property(anyMap, ({ map, draw }) => {
        map.costs.fill(0);
        const [start, goal] = [Math.floor(draw() * map.size), Math.floor(draw() * map.size)];
        const graph = new plan.GridGraph(map);
        const along = plan.aStar(graph, start, goal, { heuristic: graph.heuristic });
        const any = plan.thetaStar(map, start, goal);
        expect(any.path === null).toBe(along.path === null);
        if (!any.path) return;
        const points = any.path.map((cell) => map.centre(cell));
        expect(close(plan.pathLength(points), any.cost)).toBe(true);
        for (let i = 1; i < points.length; i++) {
          for (let k = 0; k <= 200; k++) {
            const t = k / 200;
            const [a, b] = [points[i - 1], points[i]];
            const cell = map.cellAt([a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])]);
            expect(map.occupied(cell)).toBe(false);
          }
        }
      }),
      { numRuns: 40 },
    );
    const open = new plan.GridMap(20, 9);
    expect(plan.thetaStar(open, 0, 8 * 20 + 19).cost).toBeCloseTo(Math.hypot(19, 8), 12);
  });

  it("name what they can't take", () => {
    const graph = new plan.GridGraph(new plan.GridMap(2, 2));
    expect(() => plan.aStar(graph, 4, 0)).toThrow("aStar: start: there is no node 4 among 4");
    expect(() => plan.aStar(graph, 0, 0, { weight: 0.5 })).toThrow(/weight of at least 1/);
    expect(() => new plan.GridGraph(new plan.GridMap(1, 1), 6 as never)).toThrow(
      /connectivity is 4 or 8, got 6/,
    );
  });
});

describe("D* Lite", () => {
  it("equals A* after every change and move, and expands less in all", () => {
    let [again, incremental] = [0, 0];
    fc.assert(
      fc.property(anyMap, ({ map, draw }) => {
        const graph = new plan.GridGraph(map);
        const pick = (): number => Math.floor(draw() * map.size);
        let start = pick();
        const goal = pick();
        const search = new plan.DStarLite(graph, start, goal, graph.heuristic);
        for (let round = 0; round < 8; round++) {
          const wanted = plan.aStar(graph, start, goal, { heuristic: graph.heuristic });
          again += wanted.expanded;
          const path = search.path();
          expect(close(search.cost, wanted.cost), `${search.cost} for ${wanted.cost}`).toBe(true);
          expect(path === null).toBe(wanted.path === null);
          if (path) {
            expect([path[0], path[path.length - 1]]).toEqual([start, goal]);
            expect(close(costOf(graph, path), wanted.cost)).toBe(true);
            start = path[Math.min(path.length - 1, 1 + (round % 2))];
            search.moveTo(start);
          }
          for (let change = 0; change < 1 + (round % 3); change++) {
            const cell = pick();
            if (draw() < 0.3) map.costs[cell] = Math.round(draw() * 3);
            else map.set(cell, map.occupied(cell) ? 0 : 100);
            search.update(graph.around(cell));
          }
        }
        incremental += search.expanded;
      }),
      { numRuns: 120 },
    );
    expect(incremental).toBeLessThan(again * 1.5); // maps this small gain little
  });

  it("looks at few nodes again when something far from the robot's goal changes", () => {
    const map = new plan.GridMap(80, 80);
    for (let row = 10; row < 70; row++) map.set(row * 80 + 40, 100);
    const graph = new plan.GridGraph(map);
    let at = 40 * 80 + 5;
    const goal = 40 * 80 + 75;
    const search = new plan.DStarLite(graph, at, goal, graph.heuristic);
    let path = search.path() as number[];
    const first = search.expanded;
    let again = 0;
    for (let i = 0; i < 12; i++) {
      at = path[1];
      search.moveTo(at);
      map.set(path[3], 100); // an obstacle comes up close ahead
      search.update(graph.around(path[3]));
      path = search.path() as number[];
      const whole = plan.aStar(graph, at, goal, { heuristic: graph.heuristic });
      again += whole.expanded;
      expect(search.cost).toBeCloseTo(whole.cost, 9);
    }
    expect(first).toBeGreaterThan(0);
    expect(search.expanded - first).toBeLessThan(again / 4);
  });
});

describe("grid maps", () => {
  it("know how far obstacles are, as a look at every pair says", () => {
    fc.assert(
      fc.property(anyMap, ({ map }) => {
        const blocked = Array.from({ length: map.size }, (_, i) => i).filter((i) => map.occupied(i));
        map.distances().forEach((distance, cell) => {
          const wanted = Math.min(
            ...blocked.map((other) => plan.distance(map.centre(cell), map.centre(other))),
          );
          expect(close(distance, wanted)).toBe(true);
        });
      }),
      { numRuns: 40 },
    );
  });

  it("inflate: cells within the radius are occupied, cost falls beyond", () => {
    const map = new plan.GridMap(11, 1, { resolution: 0.1 }).set(5, 100);
    const wide = map.inflate({ radius: 0.2, decay: 0.1 });
    expect(Array.from({ length: 11 }, (_, i) => wide.occupied(i))).toEqual(
      [0, 0, 0, 1, 1, 1, 1, 1, 0, 0, 0].map(Boolean),
    );
    expect(wide.costs[2]).toBeCloseTo(Math.exp(-1), 12);
    expect(wide.costs[1]).toBeCloseTo(Math.exp(-2), 12);
    expect(map.occupied(4)).toBe(false);
  });

  it("read and write places", () => {
    const map: GridMap = plan.GridMap.parse("#.?\n...", { resolution: 0.5, origin: [1, -1] });
    expect(map.cellAt([1.2, -0.3])).toBe(3);
    expect(map.occupied(3)).toBe(true);
    expect(map.cells[5]).toBe(-1);
    expect(map.cellAt([0.9, 0])).toBe(-1);
    expect(map.centre(5)).toEqual([2.25, -0.25]);
    const message = {
      info: { resolution: 0.5, width: 3, height: 2, origin: { position: { x: 1, y: -1 } } },
      data: map.cells,
    };
    expect(plan.GridMap.fromMessage(message).cells).toEqual(map.cells);
    expect(() => plan.GridMap.parse("..\n.")).toThrow("line 1 has 1 cells, line 0 has 2");
    expect(() => map.set(9, 0)).toThrow(/no cell 9 among 6/);
    expect(() => new plan.GridMap(0, 1)).toThrow(/0 × 1/);
  });
});

describe("the queue", () => {
  it("gives items in the order of their keys, whatever was changed or taken out", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(19), fc.nat(9), fc.nat(3), fc.constantFrom("set", "set", "delete", "pop")), {
          maxLength: 80,
        }),
        (steps) => {
          const heap = new KeyedHeap(20);
          const model = new Map<number, [number, number]>();
          const least = (): [number, number] | null =>
            [...model.values()].sort(([a, b], [c, d]) => a - c || b - d)[0] ?? null;
          for (const [item, first, second, what] of steps) {
            if (what === "set") {
              heap.set(item, first, second);
              model.set(item, [first, second]);
            } else if (what === "delete") {
              heap.delete(item);
              model.delete(item);
            } else {
              const wanted = least();
              const found = heap.pop();
              if (wanted) expect(model.get(found)).toEqual(wanted);
              else expect(found).toBe(-1);
              model.delete(found);
            }
            expect(heap.size).toBe(model.size);
          }
        },
      ),
    );
  });
});
