// Searches on grids beside scikit-image and NetworkX, and the simulator's steps and sensors, alone.
import { robotics } from "../../dist/index.js";
import { agree, contest } from "./contest.mjs";

const { plan, simulate } = robotics;

/** Walls with gaps, so that the way winds. */
function grid(size) {
  const map = new plan.GridMap(size, size);
  for (let wall = 1; wall * 32 < size; wall++) {
    const gap = (wall * 277) % (size - 8);
    for (let i = 0; i < size; i++) if (i < gap || i >= gap + 8) map.set(wall * 32 * size + i, 100);
  }
  return map;
}

function searchTask(size) {
  const map = grid(size);
  const cells = new plan.GridGraph(map, 4);
  const [start, goal] = [0, size * size - 1];
  const ours = () => {
    const { cost } = plan.aStar(cells, start, goal, { heuristic: cells.heuristic });
    return { cost };
  };
  const { cost } = ours();
  if (!Number.isFinite(cost)) throw new Error("there is no way through the grid");
  return {
    task: "search",
    name: `A*, ${size} × ${size} cells, 4 neighbours`,
    unit: "ms",
    data: { width: size, height: size, cells: [...map.cells], start, goal },
    ours,
    check: (answer, who) => agree(`${who}: the cost`, answer.cost, cost, 1e-9),
  };
}

function simulatorTasks() {
  const world = simulate.room({ width: 20, height: 15, things: 40, clear: 4.5, seed: 1 });
  const robot = { ...simulate.TURTLEBOT, pose: { x: 10, y: 7.5, theta: 0 } };
  const made = (read, steps) => () => {
    const simulation = new simulate.Simulation(world, { robots: [robot] });
    simulation.robot.command({ linear: 0.2, angular: 0.1 });
    for (let i = 0; i < steps; i++) {
      simulation.step();
      read(simulation.robot);
    }
    if (simulation.robot.state.collided) throw new Error("the robot is stuck");
    return { amount: steps };
  };
  return [
    ["simulator, steps alone", made(() => {}, 5000)],
    ["simulator, steps with a lidar of 360 rays", made((one) => one.scan(), 500)],
    ["simulator, steps with a camera of 160 × 120", made((one) => one.photograph(), 50)],
  ].map(([name, ours]) => ({ name, unit: "1/s", better: "higher", ours }));
}

export async function rows({ quick, peers }) {
  const found = [];
  for (const task of [searchTask(512), ...simulatorTasks()]) found.push(await contest(peers, task, quick));
  return {
    rows: found.flatMap(({ rows: some }) => some),
    notes: [
      "A*: costs equal. scikit-image: route_through_array, Dijkstra's search in Cython; networkx: astar_path, the graph made beforehand.",
      ...found.flatMap(({ notes }) => notes),
    ],
  };
}
