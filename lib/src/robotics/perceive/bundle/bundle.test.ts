/** Bundle adjustment of synthetic problems, and files of "Bundle Adjustment in the Large". */
import fc from "fast-check";
import { expect, test } from "vitest";
import { cauchy } from "../../solve/index.js";
import { bundleAdjust } from "./adjust.js";
import { formatBal, parseBal, syntheticBundle } from "./bal.js";
import { projectSnavely, snavelyReprojection } from "./snavely.js";

test("the camera's derivatives are finite differences, at no rotation too", () => {
  const number = fc.double({ min: -1, max: 1, noNaN: true });
  fc.assert(
    fc.property(
      fc.array(number, { minLength: 12, maxLength: 12 }),
      fc.constantFrom(1, 1e-3, 0),
      (v, size) => {
        const camera = Float64Array.of(
          v[0] * size,
          v[1] * size,
          v[2] * size,
          v[3],
          v[4],
          v[5] - 6,
          500 + 50 * v[6],
          0.1 * v[7],
          0.05 * v[8],
        );
        const point = Float64Array.from(v.slice(9));
        const data = new Float64Array(2);
        const residuals = new Float64Array(2);
        const jacobians = [new Float64Array(18), new Float64Array(6)];
        snavelyReprojection.evaluate(
          { count: 1, parameters: [camera, point], data },
          { residuals, jacobians },
        );
        projectSnavely(camera, point).forEach((value, i) => {
          expect(residuals[i]).toBeCloseTo(value, 9);
        });
        [camera, point].forEach((x, k) => {
          x.forEach((value, j) => {
            const h = 1e-6;
            const at = (moved: number): number[] => {
              x[j] = moved;
              const out = projectSnavely(camera, point);
              x[j] = value;
              return out;
            };
            const [ahead, behind] = [at(value + h), at(value - h)];
            for (let i = 0; i < 2; i++) {
              const slope = (ahead[i] - behind[i]) / (2 * h);
              expect(Math.abs(jacobians[k][i * x.length + j] - slope)).toBeLessThan(
                1e-4 * (1 + Math.abs(slope)),
              );
            }
          });
        });
      },
    ),
    { numRuns: 40 },
  );
});

test("a thousand points: what is left is the noise", async () => {
  const { problem } = syntheticBundle({ cameras: 10, points: 1000, seed: 1 });
  const { rms, summary, problem: solved } = await bundleAdjust(problem);
  expect(summary.converged).toBe(true);
  // cost is σ²/2 · χ² of 2·observations − unknowns + 7 of the frame
  const k = 2 * problem.cameraIndex.length - problem.cameras.length - problem.points.length + 7;
  expect(Math.abs((2 * summary.cost) / 0.25 - k)).toBeLessThan(4 * Math.sqrt(2 * k));
  expect(rms).toBeLessThan(0.71);
  expect(solved.cameraIndex).toBe(problem.cameraIndex);
});

test("a robust loss bears wrong matches", async () => {
  const { problem, truth } = syntheticBundle({ cameras: 6, points: 150, seed: 3, startNoise: 0.004 });
  for (let i = 0; i < problem.pixels.length; i += 40) problem.pixels[i] += 60;
  const errors: number[] = [];
  for (const loss of [undefined, cauchy(1)]) {
    const { problem: solved } = await bundleAdjust(
      // two cameras at their true places settle frame and scale
      {
        ...problem,
        cameras: Float64Array.of(...truth.cameras.subarray(0, 18), ...problem.cameras.subarray(18)),
      },
      { loss, constantCameras: [0, 1] },
    );
    const squares = solved.points.reduce((sum, x, i) => sum + (x - truth.points[i]) ** 2, 0);
    errors.push(Math.sqrt(squares / 150));
  }
  expect(errors[1]).toBeLessThan(0.02);
  expect(errors[1]).toBeLessThan(errors[0] / 3);
});

test("BAL files come back exactly", () => {
  const { problem } = syntheticBundle({ cameras: 3, points: 7 });
  expect(parseBal(formatBal(problem))).toEqual(problem);
});

test.each([
  ["", "the file ends where the number of cameras is wanted (token 1)"],
  ["1 1 x", 'token 3: the number of observations wanted, got "x"'],
  ["-1 1 1", "token 1: the number of cameras is -1"],
  ["0 0 99999999", "the number of observations is 99999999"],
  ["1 1 1\n1 0 0 0\n1 2 3 4 5 6 7 8 9\n1 2 3", "token 4: a camera's index is 1, below 1 wanted"],
  ["1 1 1\n0 0 0 0\n1 2 3 4 5 6 7 8 9\n1 2 3 4", '"4" after the last point'],
  ["1 1 1\n0 0 0 0\n1 2 3 4 5 6 7 8 9\n1 2", "a point's coordinate is wanted (token 19)"],
  ["2 2 2", "2 cameras, 2 points and 2 observations do not fit into 5 characters"],
])("%j is refused", (text, message) => {
  expect(() => parseBal(text)).toThrow(message);
});
