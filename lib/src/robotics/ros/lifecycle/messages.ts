/** States and transitions as `lifecycle_msgs` has them, and the names of a managed node's services. */
import type { State, Transition as TransitionMessage } from "../interfaces/common/lifecycle_msgs.js";
import { msg, srv } from "../interfaces/registry.js";
import { LIFECYCLE_STATES, type LifecycleState, type Transition } from "./state-machine.js";

export const TransitionEvent = msg("lifecycle_msgs/msg/TransitionEvent");
export const ChangeState = srv("lifecycle_msgs/srv/ChangeState");
export const GetState = srv("lifecycle_msgs/srv/GetState");
export const GetAvailableStates = srv("lifecycle_msgs/srv/GetAvailableStates");
export const GetAvailableTransitions = srv("lifecycle_msgs/srv/GetAvailableTransitions");

/** @param node the node's full name, or "~" within it */
export const lifecycleNames = (node: string) => ({
  transitionEvent: `${node}/transition_event`,
  changeState: `${node}/change_state`,
  getState: `${node}/get_state`,
  getAvailableStates: `${node}/get_available_states`,
  getAvailableTransitions: `${node}/get_available_transitions`,
  getTransitionGraph: `${node}/get_transition_graph`,
});

export const stateMessage = (state: LifecycleState): State => ({ id: LIFECYCLE_STATES[state], label: state });

/** "unknown" for numbers that are none. */
export const stateOf = ({ id }: State): LifecycleState =>
  (Object.keys(LIFECYCLE_STATES) as LifecycleState[]).find((state) => LIFECYCLE_STATES[state] === id) ??
  "unknown";

export const transitionMessage = ({ id, label }: Transition): TransitionMessage => ({ id, label });

export const transitionDescription = (transition: Transition) => ({
  transition: transitionMessage(transition),
  start_state: stateMessage(transition.start),
  goal_state: stateMessage(transition.goal),
});
