/** Actions: goals that take long, with feedback, results and cancellation. */
export type {
  ActionClient,
  ActionClientOptions,
  CancelResult,
  ClientGoal,
  GoalResult,
  SendGoalOptions,
} from "./client.js";
export { ActionError, type CancelCode, GoalRejectedError } from "./endpoints.js";
export type { FeedbackStream } from "./feedback-stream.js";
export { GoalStateError, type GoalStatus, type TerminalStatus } from "./goal-state.js";
export { getActionNamesAndTypes } from "./graph.js";
export type { ActionServer, ActionServerOptions, GoalDecision } from "./server.js";
export type { GoalOutcome, ServerGoal } from "./server-goal.js";
