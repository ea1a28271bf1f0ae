/** Control: PID, path tracking, linear-quadratic and predictive control, Lyapunov functions, safety filters. */

export {
  type Barrier,
  type FilteredInput,
  higherBarrier,
  SafetyFilter,
  type SafetyFilterOptions,
} from "./barrier.js";
export { type IlqrOptions, type IlqrResult, ilqr } from "./ilqr.js";
export { intervalBounds, type Rows } from "./interval.js";
export {
  dlqr,
  finiteHorizonLqr,
  type HorizonRegulator,
  lqr,
  type Regulator,
  TrackingLqr,
  type TrackingProblem,
} from "./lqr.js";
export { type LyapunovProblem, type LyapunovVerdict, quadraticLyapunov, verifyLyapunov } from "./lyapunov.js";
export { type Bounds, Mpc, type MpcOptions, type MpcPlan, type MpcReference } from "./mpc.js";
export { learnLyapunov, type NeuralLyapunov, type NeuralLyapunovOptions } from "./neural-lyapunov.js";
export {
  footOn,
  type PathFoot,
  type Point2,
  type Pose2,
  pointAlong,
  purePursuit,
  type StanleyOptions,
  stanley,
  wrapAngle,
} from "./path-tracking.js";
export { Pid, type PidOptions } from "./pid.js";
export * from "./qp/index.js";
export { care, continuousLyapunov, dare, discreteLyapunov, type RiccatiProblem } from "./riccati.js";
export {
  discretize,
  type Linearization,
  System,
  type SystemDefinition,
  simulate,
  type Trajectory,
} from "./system.js";
export {
  bicycle,
  type CartPoleOptions,
  cartPole,
  doubleIntegrator,
  type PendulumOptions,
  pendulum,
  type QuadrotorOptions,
  quadrotor2d,
  unicycle,
} from "./systems.js";
export { type CurveOptions, trajectoryDisplay } from "./trajectory-display.js";
