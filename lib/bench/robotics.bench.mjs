// Robotics: messages beside rclpy's on the same middleware; filters, least squares, predictive control and searches beside NumPy,
// SciPy, OSQP, scikit-image and NetworkX. Run by `npm run bench -- robotics`.
import { loadavg } from "node:os";
import { pythonPeer } from "./peers/python.mjs";
import { Peers } from "./robotics/contest.mjs";
import * as control from "./robotics/control.mjs";
import * as perception from "./robotics/perception.mjs";
import * as messages from "./robotics/ros-messages.mjs";
import * as worlds from "./robotics/worlds.mjs";

const SOLVERS = {
  what: ["numpy", "scipy==1.17.1", "osqp==1.1.3", "scikit-image==0.26.0", "networkx==3.6.1"],
  proof: "import numpy, scipy, osqp, skimage, networkx",
};

export async function run({ quick }) {
  const load = loadavg()[0];
  const { python, problem } = pythonPeer("bench-venv", SOLVERS); // that of the other suites
  const missing = problem ? { solvers: problem } : {};
  const found = [await messages.rows({ quick })];
  const peers = problem ? null : new Peers(python);
  try {
    for (const { rows } of [perception, control, worlds]) found.push(await rows({ quick, peers }));
  } finally {
    await peers?.end();
  }
  return {
    rows: found.flatMap(({ rows }) => rows),
    missing: Object.assign(missing, ...found.map((part) => part.missing ?? {})),
    notes: [
      ...found.flatMap(({ notes }) => notes),
      `Load of the machine (mean of a minute) before the run ${load.toFixed(1)}, after it ${loadavg()[0].toFixed(1)}.`,
    ],
  };
}
