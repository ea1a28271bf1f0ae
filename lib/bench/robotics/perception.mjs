// Filtering and least squares beside NumPy and SciPy, to the same estimates and costs.
import { robotics } from "../../dist/index.js";
import { agree, contest } from "./contest.mjs";

const { perceive } = robotics;

/** A drive on a circle through landmarks, the whole map known already; all of it passes the gate. */
function slamTask(landmarks, seen) {
  const alphas = [0.02, 0.001, 0.01, 0.02];
  const sensorNoise = { range: 0.1, bearing: 0.02 };
  const dt = 0.1;
  const places = Array.from({ length: landmarks }, (_, i) => {
    const [radius, angle] = [6 + 4 * Math.sin(i * 2.3), (2 * Math.PI * i) / landmarks];
    return [radius * Math.cos(angle), radius * Math.sin(angle)];
  });
  const look = (pose, id, error) => {
    const [x, y] = places[id];
    const { predicted } = perceive.predictRangeBearing(pose.x, pose.y, pose.theta, x, y);
    return {
      id,
      range: predicted[0] + sensorNoise.range * error,
      bearing: predicted[1] + sensorNoise.bearing * error,
    };
  };
  const slam = new perceive.EkfSlam(
    { x: 0, y: 0, theta: 0 },
    { motionNoise: alphas, sensorNoise, gate: 1 - 1e-12, startDeviation: [0.1, 0.1, 0.05] },
  );
  let pose = { x: 0, y: 0, theta: 0 };
  slam.observe(places.map((_, id) => look(pose, id, Math.sin(id * 1.7))));
  const steps = Array.from({ length: 5 }, (_, k) => {
    const twist = { linear: 1, angular: 0.3 + 0.1 * Math.sin(k) };
    pose = perceive.drive(pose, twist, dt);
    const from = pose;
    return {
      twist,
      seen: Array.from({ length: seen }, (_, i) =>
        look(from, (7 * k + 3 * i) % landmarks, Math.cos(k + 5 * i)),
      ),
    };
  });
  const { state, covariance, size } = slam.filter;
  const ours = () => {
    slam.filter.state = state.slice();
    slam.filter.covariance = covariance.slice();
    for (const { twist, seen: list } of steps) {
      slam.predict(twist, dt);
      slam.observe(list);
    }
    const variances = Array.from({ length: size }, (_, i) => slam.filter.covariance[i * size + i]);
    return { state: [...slam.filter.state], variances, amount: steps.length };
  };
  const wanted = ours();
  return {
    task: "slam",
    name: `EKF-SLAM step, ${landmarks} landmarks, ${seen} seen`,
    unit: "ms",
    data: {
      state: [...state],
      covariance: [...covariance],
      alphas,
      dt,
      deviations: [sensorNoise.range, sensorNoise.bearing],
      steps: steps.map(({ twist, seen: list }) => ({
        twist: [twist.linear, twist.angular],
        seen: list.map(({ id, range, bearing }) => [id, range, bearing]),
      })),
    },
    ours,
    check: (answer, who) => {
      for (const key of ["state", "variances"])
        for (const [i, value] of answer[key].entries())
          agree(`${who}: ${key}[${i}]`, value, wanted[key][i], 1e-8);
    },
  };
}

/** @param cost of the solution that all must find */
const sameCost = (cost) => (answer, who) => agree(`${who}: the cost`, answer.cost, cost, 1e-4);

async function bundleTask(cameras, points) {
  const { problem } = perceive.syntheticBundle({ cameras, points, seed: 2 });
  const ours = async () => ({ cost: (await perceive.bundleAdjust(problem)).summary.cost });
  return {
    task: "bundle",
    name: `bundle adjustment, ${cameras} cameras, ${points} points, ${problem.cameraIndex.length} observations`,
    unit: "ms",
    data: Object.fromEntries(Object.entries(problem).map(([key, list]) => [key, [...list]])),
    ours,
    check: sameCost((await ours()).cost),
  };
}

async function poseTask(poses) {
  const { graph } = perceive.manhattanWorld({ poses, seed: 1 });
  const start = [...graph.poses];
  const ours = async () => {
    start.forEach((value, i) => {
      graph.poses[i] = value;
    });
    return { cost: (await perceive.optimizePoseGraph(graph)).cost };
  };
  const { edges } = graph;
  return {
    task: "poses",
    name: `pose graph, ${poses} poses, ${edges.length} edges`,
    unit: "ms",
    data: {
      poses: start,
      from: edges.map(({ from }) => from),
      to: edges.map(({ to }) => to),
      measurements: edges.flatMap(({ measurement }) => [...measurement]),
      information: edges.flatMap(({ information }) => [0, 4, 8].map((i) => information[i])),
    },
    ours,
    check: sameCost((await ours()).cost),
  };
}

export async function rows({ quick, peers }) {
  const made = [
    slamTask(20, 5),
    slamTask(200, 5),
    await bundleTask(16, 500),
    await bundleTask(50, 3000),
    await poseTask(500),
  ];
  const found = [];
  for (const task of made) found.push(await contest(peers, task, quick));
  return {
    rows: found.flatMap(({ rows: some }) => some),
    notes: [
      "EKF-SLAM: one prediction and 5 measurements, state and variances equal to 1e-8; numpy: P − K·S·Kᵀ, numpy, Joseph: the form that ours has too, which keeps P positive. Bundle adjustment and pose graph: from the same start to the same cost (to 1e-4), stopped by a relative change of 1e-8. scipy sparse, scipy schur: Levenberg–Marquardt with our damping, derivatives by hand in NumPy, SuperLU on the normal equations or a dense Cholesky of the Schur complement; scipy least_squares: trust region with the same derivatives, sparse, its steps by LSMR. One thread each.",
      ...found.flatMap(({ notes }) => notes),
    ],
  };
}
