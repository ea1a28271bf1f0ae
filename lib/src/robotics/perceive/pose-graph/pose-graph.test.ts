/** Factors against finite differences; graphs of the published forms against their truth; g2o's files. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { euclidean, huber, type Manifold, type ResidualKind, SE2, SE3 } from "../../solve/index.js";
import { between2, between3, landmark2, prior2 } from "./factors.js";
import { formatG2o, parseG2o } from "./g2o.js";
import { optimizePoseGraph, optimizePoseGraphSync, PoseGraph } from "./graph.js";
import { manhattanWorld, sphereWorld, trajectoryError2 } from "./worlds.js";

const number = fc.double({ min: -1.4, max: 1.4, noNaN: true });

function pointOn(manifold: Manifold, step: number[]): Float64Array {
  const origin = new Float64Array(manifold.ambient);
  if (manifold === SE3) origin[6] = 1;
  const out = origin.slice();
  manifold.plus(origin, 0, Float64Array.from(step), 0, out, 0);
  return out;
}

test.each([
  ["between2", between2, [SE2, SE2], SE2],
  ["prior2", prior2, [SE2], SE2],
  ["landmark2", landmark2, [SE2, euclidean(2)], euclidean(2)],
  ["between3", between3, [SE3, SE3], SE3],
] as [string, ResidualKind, Manifold[], Manifold][])(
  "%s has the derivatives of finite differences",
  (_, kind, manifolds, of) => {
    const steps = fc.array(number, { minLength: 24, maxLength: 24 });
    fc.assert(
      fc.property(steps, steps, (numbers, weights) => {
        const values = manifolds.map((m, k) => pointOn(m, numbers.slice(k * 6, k * 6 + m.tangent)));
        const n = of.tangent;
        const w = Array.from({ length: n * n }, (_, i) => weights[i % 24]);
        const data = Float64Array.from([...pointOn(of, numbers.slice(12, 12 + n)), ...w]);
        const residuals = new Float64Array(kind.size);
        const jacobians = manifolds.map((m) => new Float64Array(kind.size * m.tangent));
        kind.evaluate({ count: 1, parameters: values, data }, { residuals, jacobians });
        manifolds.forEach((m, k) => {
          for (let j = 0; j < m.tangent; j++) {
            const [ahead, behind] = [1e-6, -1e-6].map((h) => {
              const step = new Float64Array(m.tangent);
              step[j] = h;
              const moved = values.map((x) => x.slice());
              m.plus(values[k], 0, step, 0, moved[k], 0);
              const out = new Float64Array(kind.size);
              kind.evaluate({ count: 1, parameters: moved, data }, { residuals: out, jacobians: null });
              return out;
            });
            for (let i = 0; i < kind.size; i++) {
              const slope = (ahead[i] - behind[i]) / 2e-6;
              if (Math.abs(slope) > 1e4) continue; // an angle wrapped between the two
              expect(Math.abs(jacobians[k][i * m.tangent + j] - slope)).toBeLessThan(
                1e-5 * (1 + Math.abs(slope)),
              );
            }
          }
        });
      }),
      { numRuns: 60 },
    );
  },
);

describe("optimization", () => {
  test("a Manhattan world: χ² is what its noise makes it, the trajectory is near the truth", async () => {
    const { graph, truth } = manhattanWorld({ poses: 600, seed: 2 });
    const before = trajectoryError2(graph.poses, truth);
    const summary = await optimizePoseGraph(graph);
    expect(summary.converged).toBe(true);
    // 2·cost is χ² of 3·edges − 3·(poses − 1) degrees of freedom: mean k, variance 2k
    const k = 3 * graph.edges.length - 3 * (graph.poseCount - 1);
    expect(Math.abs(2 * summary.cost - k)).toBeLessThan(4 * Math.sqrt(2 * k));
    const after = trajectoryError2(graph.poses, truth);
    expect(after).toBeLessThan(0.35);
    expect(after).toBeLessThan(before / 4);
  });

  test("a sphere: χ² is what its noise makes it", async () => {
    const { graph } = sphereWorld({ poses: 400, seed: 1, translationNoise: 0.02, rotationNoise: 0.01 });
    const summary = await optimizePoseGraph(graph);
    const k = 6 * graph.edges.length - 6 * (graph.poseCount - 1);
    expect(Math.abs(2 * summary.cost - k)).toBeLessThan(4 * Math.sqrt(2 * k));
  });

  test("a robust loss bears wrong loop closures", () => {
    const spoilt = (): ReturnType<typeof manhattanWorld> => {
      const world = manhattanWorld({ poses: 300, seed: 4 });
      const information = Float64Array.of(400, 0, 0, 0, 400, 0, 0, 0, 2500);
      for (const i of [20, 90, 160])
        world.graph.addEdge({ from: i, to: i + 110, measurement: [0, 0, 0], information });
      return world;
    };
    const [plain, robust] = [spoilt(), spoilt()];
    optimizePoseGraphSync(plain.graph);
    optimizePoseGraphSync(robust.graph, { loss: huber(1) });
    const [bad, good] = [plain, robust].map(({ graph, truth }) => trajectoryError2(graph.poses, truth));
    expect(good).toBeLessThan(0.6);
    expect(good).toBeLessThan(bad / 2);
  });

  test("landmarks seen from several poses tie them together", () => {
    const graph = new PoseGraph(2);
    const information = [100, 0, 0, 100];
    graph.addPose([0, 0, 0]);
    graph.addPose([0.9, 0.2, 0.1]);
    for (const [x, y] of [
      [2, 1],
      [1, -1],
      [3, 0.5],
    ]) {
      const to = graph.addLandmark(x + 0.1, y - 0.1);
      graph.addLandmarkEdge({ from: 0, to, measurement: [x, y], information });
      graph.addLandmarkEdge({ from: 1, to, measurement: [x - 1, y], information });
    }
    const summary = optimizePoseGraphSync(graph);
    expect(summary.cost).toBeLessThan(1e-12);
    expect(graph.poses.slice(3).map((v) => Math.round(v * 1e6) / 1e6 + 0)).toEqual([1, 0, 0]);
  });

  test("wrong edges are named", () => {
    const graph = new PoseGraph(2);
    graph.addPose([0, 0, 0]);
    graph.addPose([1, 0, 0]);
    const information = new Float64Array(9);
    expect(() => graph.addEdge({ from: 0, to: 2, measurement: [1, 0, 0], information })).toThrow(
      "0 → 2 is between 2 poses",
    );
    expect(() => graph.addEdge({ from: 0, to: 1, measurement: [1, 0], information })).toThrow(
      "a measurement of 3 numbers",
    );
    graph.addEdge({ from: 0, to: 1, measurement: [1, 0, 0], information });
    expect(() => optimizePoseGraphSync(graph)).toThrow("edge 0 (0 → 1) is not positive definite");
    expect(() => graph.addPose([1])).toThrow("3 numbers wanted, got 1");
    expect(() => new PoseGraph(3).addLandmark(1, 2)).toThrow("graphs in the plane");
  });
});

describe("g2o files", () => {
  test.each([2, 3] as const)("graphs in %i dimensions come back as they were", (dimension) => {
    const { graph } = dimension === 2 ? manhattanWorld({ poses: 60 }) : sphereWorld({ poses: 60 });
    graph.fixed.add(0);
    if (dimension === 2) {
      graph.addLandmark(1, 2);
      graph.addLandmarkEdge({ from: 3, to: 0, measurement: [1, 2], information: [2, 1, 1, 3] });
    }
    const text = formatG2o(graph);
    const back = parseG2o(text);
    expect(back.poseIds).toEqual(Array.from({ length: 60 }, (_, i) => i));
    expect(back.graph.fixed).toEqual(graph.fixed);
    expect(back.graph.edges.length).toBe(graph.edges.length);
    back.graph.poses.forEach((x, i) => {
      expect(x).toBeCloseTo(graph.poses[i], 12);
    });
    expect(back.graph.landmarks).toEqual(graph.landmarks);
    if (dimension === 2) expect(formatG2o(back.graph)).toBe(text);
  });

  test("ids may be any, in any order", () => {
    const { graph, poseIds } = parseG2o(
      "# comment\nEDGE_SE2 7 3 1 0 0 1 0 0 1 0 1\r\nVERTEX_SE2 7 0 0 0\nVERTEX_SE2 3 1 0 0\nFIX 3\n",
    );
    expect(poseIds).toEqual([7, 3]);
    expect(graph.edges[0]).toMatchObject({ from: 0, to: 1 });
    expect([...graph.fixed]).toEqual([1]);
  });

  test.each([
    ["VERTEX_SE2 0 0 0", "line 1: VERTEX_SE2 has 4 numbers, got 3"],
    ["VERTEX_SE2 0 0 x 0", 'line 1: "x" is no number'],
    ["VERTEX_SE2 0 0 0 0\nVERTEX_SE2 0 0 0 0", "line 2: vertex 0 is defined twice"],
    ["VERTEX_SE2 0.5 0 0 0", "line 1: an id is a whole number, got 0.5"],
    [
      "VERTEX_SE2 0 0 0 0\nEDGE_SE2 0 1 1 0 0 1 0 0 1 0 1",
      "line 2: EDGE_SE2 names vertex 1, which is not defined",
    ],
    [
      "VERTEX_SE2 0 0 0 0\nVERTEX_SE3:QUAT 1 0 0 0 0 0 0 1",
      "line 2: VERTEX_SE3:QUAT in a graph of 2 dimensions",
    ],
    ["VERTEX_SE3:QUAT 1 0 0 0 0 0 0 2", "line 1: a unit quaternion wanted, got one of length 2"],
    ["VERTEX_CAM 1", 'line 1: "VERTEX_CAM" is not known'],
    ["constructor 1", 'line 1: "constructor" is not known'],
    ["", "no vertex in the file"],
  ])("%j is refused", (text, message) => {
    expect(() => parseG2o(text)).toThrow(message);
  });

  test("whatever the text, it is read or refused with a line", () => {
    const token = fc.oneof(
      fc.constantFrom(
        "VERTEX_SE2",
        "EDGE_SE2",
        "VERTEX_XY",
        "EDGE_SE2_XY",
        "VERTEX_SE3:QUAT",
        "FIX",
        "\n",
        "\n",
        "#",
      ),
      fc.integer({ min: -2, max: 3 }).map(String),
      fc.string({ maxLength: 3 }),
    );
    fc.assert(
      fc.property(fc.array(token, { maxLength: 40 }), (tokens) => {
        try {
          parseG2o(tokens.join(" "));
        } catch (error) {
          expect((error as Error).message).toMatch(/^parseG2o: (line \d+: |no vertex)/);
        }
      }),
    );
  });
});
