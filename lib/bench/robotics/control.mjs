// Predictive control beside OSQP and SciPy's SLSQP: the quadrotor of OSQP's own example, along one flight.
import { robotics } from "../../dist/index.js";
import { agree, contest } from "./contest.mjs";

const { control } = robotics;

const A = [
  [1, 0, 0, 0, 0, 0, 0.1, 0, 0, 0, 0, 0],
  [0, 1, 0, 0, 0, 0, 0, 0.1, 0, 0, 0, 0],
  [0, 0, 1, 0, 0, 0, 0, 0, 0.1, 0, 0, 0],
  [0.0488, 0, 0, 1, 0, 0, 0.0016, 0, 0, 0.0992, 0, 0],
  [0, -0.0488, 0, 0, 1, 0, 0, -0.0016, 0, 0, 0.0992, 0],
  [0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0.0992],
  [0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0],
  [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0],
  [0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0],
  [0.9734, 0, 0, 0, 0, 0, 0.0488, 0, 0, 0.9846, 0, 0],
  [0, -0.9734, 0, 0, 0, 0, 0, -0.0488, 0, 0, 0.9846, 0],
  [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0.9846],
];
const B = [
  [0, -0.0726, 0, 0.0726],
  [-0.0726, 0, 0.0726, 0],
  [-0.0152, 0.0152, -0.0152, 0.0152],
  [0, -0.0006, 0, 0.0006],
  [0.0006, 0, -0.0006, 0],
  [0.0106, 0.0106, 0.0106, 0.0106],
  [0, -1.4512, 0, 1.4512],
  [-1.4512, 0, 1.4512, 0],
  [-0.3049, 0.3049, -0.3049, 0.3049],
  [0, -0.0236, 0, 0.0236],
  [0.0236, 0, -0.0236, 0],
  [0.2107, 0.2107, 0.2107, 0.2107],
];
const diagonal = (values) => values.map((v, i) => values.map((_, j) => (i === j ? v : 0)));
const Q = diagonal([0, 0, 10, 10, 10, 10, 0, 0, 0, 5, 5, 5]);
const R = diagonal([0.1, 0.1, 0.1, 0.1]);
const HOVER = 10.5916;
const LOWER_INPUT = Array(4).fill(9.6 - HOVER);
const UPPER_INPUT = Array(4).fill(13 - HOVER);
const TILT = Math.PI / 6;
const OPEN = Array(6).fill(null);
const LOWER_STATE = [-TILT, -TILT, null, null, null, -1, ...OPEN];
const UPPER_STATE = [TILT, TILT, null, null, null, null, ...OPEN];
const WANTED = [0, 0, 0, 1, -1, 1, 0, 0, 0, 0, 0, 0];
const TOLERANCE = 1e-6;
const SAMPLES = 10;

const times = (matrix, vector) =>
  matrix.map((row) => row.reduce((sum, value, j) => sum + value * vector[j], 0));
const advance = (x, u) => {
  const driven = times(B, u);
  return times(A, x).map((value, i) => value + driven[i]);
};
const half = (weights, error) => 0.5 * error.reduce((sum, e, i) => sum + weights[i][i] * e * e, 0);

/** Cost of inputs (one after the other), and how far they and their states break the bounds. */
function judge(start, inputs) {
  let [x, cost, broken] = [start, 0, 0];
  const beyond = (values, lower, upper) => {
    values.forEach((v, i) => {
      broken = Math.max(broken, lower[i] === null ? 0 : lower[i] - v, upper[i] === null ? 0 : v - upper[i]);
    });
  };
  for (let k = 0; k < inputs.length; k += 4) {
    const u = inputs.slice(k, k + 4);
    x = advance(x, u);
    cost +=
      half(R, u) +
      half(
        Q,
        x.map((value, i) => value - WANTED[i]),
      );
    beyond(u, LOWER_INPUT, UPPER_INPUT);
    beyond(x, LOWER_STATE, UPPER_STATE);
  }
  return { cost, broken };
}

function task(horizon, limit) {
  const bounds = (lower, upper) => ({
    lower: lower.map((v) => v ?? Number.NEGATIVE_INFINITY),
    upper: upper.map((v) => v ?? Number.POSITIVE_INFINITY),
  });
  const mpc = new control.Mpc({
    a: A,
    b: B,
    q: Q,
    r: R,
    final: Q,
    horizon,
    inputBounds: bounds(LOWER_INPUT, UPPER_INPUT),
    stateBounds: bounds(LOWER_STATE, UPPER_STATE),
    tolerance: TOLERANCE,
  });
  const reference = { state: WANTED };
  const starts = [[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]];
  while (starts.length < SAMPLES) {
    const x = starts.at(-1);
    const k = starts.length;
    starts.push(advance(x, mpc.plan(x, reference).input).map((v, i) => v + 0.002 * Math.sin(3 * k + i)));
  }
  const ours = () => {
    const found = starts.map((x) => mpc.plan(x, reference).inputs);
    return { plans: found.map((inputs) => inputs.flat()), amount: found.length };
  };
  const wanted = ours().plans.map((plan, i) => judge(starts[i], plan));
  return {
    task: "control",
    name: `MPC of a quadrotor (12 states, 4 inputs), horizon ${horizon}`,
    unit: "ms",
    data: {
      ...{ a: A, b: B, q: Q, r: R, wanted: WANTED, horizon, starts, tolerance: TOLERANCE },
      ...{ lowerInput: LOWER_INPUT, upperInput: UPPER_INPUT },
      ...{ lowerState: LOWER_STATE, upperState: UPPER_STATE },
      few: 2, // SLSQP is slow
      limit,
    },
    ours,
    check: ({ plans }, who) =>
      plans.forEach((plan, i) => {
        const { cost, broken } = judge(starts[i], plan);
        agree(`${who}: the cost of plan ${i}`, cost, wanted[i].cost, 1e-3);
        agree(`${who}: the broken bounds of plan ${i}`, broken, 0, 1e-3);
      }),
  };
}

export async function rows({ quick, peers }) {
  const found = [];
  for (const horizon of [20, 40, 100])
    found.push(await contest(peers, task(horizon, quick ? 15 : 60), quick));
  return {
    rows: found.flatMap(({ rows: some }) => some),
    notes: [
      "MPC: 10 samples of one flight, each from the plan before; costs equal to 1e-3. Ours and OSQP to 1e-6 with their factors kept; SLSQP on the inputs alone, 2 samples, from the plan before, ftol 1e-9.",
      ...found.flatMap(({ notes }) => notes),
    ],
  };
}
