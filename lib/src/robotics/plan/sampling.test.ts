import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { robotics } from "../../index.js";

const { plan } = robotics;

/** The shortest way past a disc in the middle between two points at distance d from it: two tangents and an arc. */
const aroundDisc = (d: number, r: number): number => 2 * Math.sqrt(d * d - r * r) + 2 * r * Math.asin(r / d);

const disc = () =>
  new plan.ObstacleSpace(
    [
      [-3, 3],
      [-3, 3],
    ],
    { balls: [{ centre: [0, 0], radius: 1 }] },
  );
const ends = [
  [-2, 0],
  [2, 0],
] as const;

function expectFree(
  space: robotics.plan.Space,
  path: readonly robotics.plan.Point[] | null,
  from: readonly number[],
  to: readonly number[],
): void {
  expect(path).not.toBeNull();
  const found = path as readonly robotics.plan.Point[];
  expect(found[0]).toEqual(from);
  expect(found[found.length - 1]).toEqual(to);
  for (let i = 1; i < found.length; i++)
    for (let k = 0; k <= 50; k++) {
      const t = k / 50;
      const point = found[i - 1].map((v, j) => v + t * (found[i][j] - v));
      expect(space.bounds.every(([low, high], j) => point[j] >= low - 1e-9 && point[j] <= high + 1e-9)).toBe(
        true,
      );
      if (space instanceof plan.ObstacleSpace)
        for (const { centre, radius } of space.balls)
          expect(plan.distance(point, centre)).toBeGreaterThan(radius - 1e-9);
    }
}

describe("nearest neighbours", () => {
  it("are those that a look at every point finds", () => {
    const coordinate = fc.integer({ min: -5, max: 5 });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 4 }).chain((d) => {
          const point = fc.array(coordinate, { minLength: d, maxLength: d });
          return fc.record({
            d: fc.constant(d),
            first: fc.array(point, { maxLength: 20 }),
            later: fc.array(point, { maxLength: 60 }),
            to: point,
          });
        }),
        fc.integer({ min: 1, max: 6 }),
        ({ d, first, later, to }, k) => {
          const tree = new plan.KdTree(d, first);
          for (const point of later) tree.insert(point);
          const all = [...first, ...later];
          const wanted = all.map((point) => plan.distance(point, to)).sort((a, b) => a - b);
          expect(tree.nearestOf(to, k).map((each) => each.distance)).toEqual(wanted.slice(0, k));
          const near = tree.within(to, 3);
          expect(near.map((each) => each.index).sort((a, b) => a - b)).toEqual(
            all.flatMap((point, i) => (plan.distance(point, to) <= 3 ? [i] : [])),
          );
          for (const { index, distance } of near) expect(distance).toBe(plan.distance(tree.point(index), to));
        },
      ),
    );
    expect(new plan.KdTree(2).nearest([0, 0])).toBeNull();
    expect(() => new plan.KdTree(2).insert([1])).toThrow("points have 2 coordinates, got 1");
  });
});

describe("spaces", () => {
  it("check motions exactly", () => {
    const space = new plan.ObstacleSpace(
      [
        [0, 10],
        [0, 10],
      ],
      { boxes: [{ lower: [4, 4], upper: [6, 6] }], balls: [{ centre: [2, 2], radius: 0.5 }] },
    );
    expect(space.clear([0, 5], [10, 5])).toBe(false);
    expect(space.clear([0, 4], [10, 4])).toBe(true); // along a side
    expect(space.clear([3, 7], [5, 9])).toBe(true);
    expect(space.clear([3, 3.9], [6.1, 7])).toBe(false); // cuts a corner
    expect(space.clear([1, 2.5], [3, 2.5])).toBe(true); // touches the ball
    expect(space.clear([1, 2.4], [3, 2.4])).toBe(false);
    expect(space.free([11, 0])).toBe(false);
    expect(() => new plan.ObstacleSpace([[0, 1]], { balls: [{ centre: [0, 0], radius: 1 }] })).toThrow(
      /an obstacle with 2 coordinates/,
    );
  });
});

describe("rapidly exploring trees", () => {
  it.each(["rrt", "rrt*", "informed"] as const)(
    "%s: a free path, the same for the same seed",
    (algorithm) => {
      const space = disc();
      const found = plan.rrt(space, ...ends, { algorithm, iterations: 600, seed: 3 });
      expectFree(space, found.path, ...ends);
      expect(found.cost).toBeGreaterThan(aroundDisc(2, 1) - 1e-9);
      expect(plan.rrt(disc(), ...ends, { algorithm, iterations: 600, seed: 3 }).path).toEqual(found.path);
      expect(found.history.at(-1)).toBeCloseTo(found.cost, 9);
    },
  );

  it("RRT* tends to the shortest path, which is known; RRT does not", () => {
    const best = aroundDisc(2, 1);
    const excess = (algorithm: "rrt" | "rrt*" | "informed", iterations: number): number => {
      const costs = [1, 2].map(
        (seed) => plan.rrt(disc(), ...ends, { algorithm, iterations, seed, step: 1 }).cost,
      );
      return costs.reduce((a, b) => a + b) / 2 / best - 1;
    };
    const [short, long] = [excess("rrt*", 400), excess("rrt*", 3000)];
    expect(long).toBeLessThan(0.5 * short);
    expect(long).toBeLessThan(0.02);
    expect(excess("informed", 1500)).toBeLessThan(0.01);
    expect(excess("rrt", 4000)).toBeGreaterThan(0.05);
    const { history } = plan.rrt(disc(), ...ends, { algorithm: "rrt*", iterations: 1000, seed: 1 });
    for (let i = 1; i < history.length; i++) expect(history[i]).toBeLessThanOrEqual(history[i - 1]);
  });

  it("keep the costs of the tree right while it is rewired", () => {
    const { points, parents, cost, path } = plan.rrt(disc(), ...ends, {
      algorithm: "rrt*",
      iterations: 1500,
      seed: 5,
    });
    parents.forEach((parent, i) => {
      let [at, steps] = [i, 0];
      while (at >= 0 && steps++ <= points.length) at = parents[at];
      expect(steps).toBeLessThanOrEqual(points.length); // no cycle
      if (parent >= 0) expect(disc().clear(points[i], points[parent])).toBe(true);
    });
    expect(plan.pathLength(path as robotics.plan.Point[])).toBeCloseTo(cost, 9);
  });

  it("work in more dimensions, and say so when there is no path", () => {
    const cube = new plan.ObstacleSpace(
      [
        [0, 1],
        [0, 1],
        [0, 1],
      ],
      { balls: [{ centre: [0.5, 0.5, 0.5], radius: 0.3 }] },
    );
    const found = plan.rrt(cube, [0.05, 0.05, 0.05], [0.95, 0.95, 0.95], {
      algorithm: "informed",
      iterations: 1500,
      seed: 2,
    });
    expectFree(cube, found.path, [0.05, 0.05, 0.05], [0.95, 0.95, 0.95]);
    const d = (0.9 * Math.sqrt(3)) / 2;
    expect(found.cost).toBeGreaterThan(aroundDisc(d, 0.3));
    expect(found.cost).toBeLessThan(1.08 * aroundDisc(d, 0.3));
    const wall = new plan.ObstacleSpace(
      [
        [0, 4],
        [0, 1],
      ],
      { boxes: [{ lower: [1, -1], upper: [2, 2] }] },
    );
    const none = plan.rrt(wall, [0.5, 0.5], [3, 0.5], { iterations: 300 });
    expect(none.path).toBeNull();
    expect(none.cost).toBe(Number.POSITIVE_INFINITY);
    expect(String(none)).toMatch(/^no path among/);
    expect(() => plan.rrt(wall, [1.5, 0.5], [3, 0.5])).toThrow("rrt: start [1.5, 0.5] is not free");
    expect(() => plan.rrt(wall, [0.5, 0.5], [3, 0.5], { algorithm: "best" as never })).toThrow(
      /"rrt", "rrt\*" or "informed"/,
    );
  });

  it("draw themselves", () => {
    const found = plan.rrt(disc(), ...ends, { seed: 1 });
    const bundle = (found as never as Record<symbol, () => Record<string, string>>)[
      Symbol.for("Jupyter.display")
    ]();
    expect(bundle["image/svg+xml"]).toMatch(/<circle .*<path d="M.*<polyline/s);
  });
});

describe("roadmaps", () => {
  it("find the same path whether motions are checked early or late, late with fewer checks", () => {
    for (const seed of [1, 2, 3]) {
      const [lazy, eager] = [true, false].map(
        (each) => new plan.Roadmap(disc(), { samples: 300, lazy: each, seed }),
      );
      const [a, b] = [lazy.path(...ends), eager.path(...ends)];
      expectFree(disc(), a.path, ...ends);
      expect(a.cost).toBeCloseTo(b.cost, 9);
      expect(lazy.checks).toBeLessThan(0.2 * eager.checks);
      const before = lazy.checks;
      lazy.path(...ends);
      expect(lazy.checks).toBe(before); // it remembers
    }
  });

  it("come near the shortest path with more points (PRM*)", () => {
    const excess = (samples: number): number =>
      new plan.Roadmap(disc(), { samples, seed: 1 }).path(...ends).cost / aroundDisc(2, 1) - 1;
    expect(excess(1500)).toBeLessThan(excess(150));
    expect(excess(1500)).toBeLessThan(0.04);
  });

  it("say so when there is no path", () => {
    const wall = new plan.ObstacleSpace(
      [
        [0, 4],
        [0, 1],
      ],
      { boxes: [{ lower: [1, -1], upper: [2, 2] }] },
    );
    expect(new plan.Roadmap(wall, { samples: 60 }).path([0.5, 0.5], [3, 0.5])).toEqual({
      path: null,
      cost: Number.POSITIVE_INFINITY,
    });
    const full = new plan.ObstacleSpace([[0, 1]], { boxes: [{ lower: [-1], upper: [2] }] });
    expect(() => new plan.Roadmap(full, { samples: 2 })).toThrow(/gave 0 free points/);
  });
});
