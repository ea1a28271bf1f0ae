/** Planning: searches on grids and graphs, sampling planners, curves, timing, local planning, tasks. */
export { DStarLite } from "./d-star-lite.js";
export {
  DUBINS_WORDS,
  type DubinsPath,
  type DubinsTurn,
  type DubinsWord,
  dubins,
  dubinsPose,
  dubinsPoses,
  dubinsWays,
} from "./dubins.js";
export { Dwa, type DwaChoice, type DwaOptions, type Scan, type Velocity } from "./dwa.js";
export { type Connectivity, GridGraph, type Heuristic, type SearchGraph } from "./graph.js";
export { GridMap, type GridOptions, type InflateOptions, type OccupancyMessage } from "./grid.js";
export { KdTree, type Neighbour } from "./kd-tree.js";
export { type MapDrawing, mapDisplay, TreePlan } from "./plan-display.js";
export { Roadmap, type RoadmapOptions, type RoadmapPath } from "./prm.js";
export { LocalPlanning, type LocalPlanningOptions } from "./rl/local-planning.js";
export {
  type CloningOptions,
  cloneTeacher,
  type GradientOptions,
  PolicyPlanner,
  reinforce,
} from "./rl/policy.js";
export {
  type Episode,
  type Policy,
  type Pomdp,
  type PomdpStep,
  runEpisode,
  successRate,
} from "./rl/pomdp.js";
export { type RrtOptions, rrt } from "./rrt.js";
export { aStar, dijkstra, type SearchOptions, type SearchResult, thetaStar } from "./search.js";
export { shortcut, type TimedPoint, type TimingLimits, timed } from "./smooth.js";
export {
  type Ball,
  type Box,
  distance,
  GridSpace,
  ObstacleSpace,
  type Point,
  pathLength,
  type Space,
} from "./space.js";
export {
  type Fact,
  planTask,
  type TaskAction,
  type TaskOptions,
  type TaskPlan,
  type TaskProblem,
} from "./tasks.js";
