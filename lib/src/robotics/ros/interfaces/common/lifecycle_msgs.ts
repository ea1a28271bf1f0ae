// Made by common.test.ts from the packages' interface files (Apache License 2.0): change those.
// biome-ignore-all lint/suspicious/noShadowRestrictedNames: the names are ROS's
// biome-ignore-all lint/suspicious/noRedeclare: a message and its constants share a name

/**
 * `lifecycle_msgs/msg/State`
 * Primary state definitions as depicted in:
 * http://design.ros2.org/articles/node_lifecycle.html
 */
export interface State {
  /** The state id value from the above definitions. (uint8) */
  id: number;
  /** A text label of the state. */
  label: string;
}
/** Constants of `lifecycle_msgs/msg/State`. */
export const State = {
  /** Indicates state has not yet been set. */
  PRIMARY_STATE_UNKNOWN: 0,
  /**
   * This is the life cycle state the node is in immediately after being
   * instantiated.
   */
  PRIMARY_STATE_UNCONFIGURED: 1,
  /** This state represents a node that is not currently performing any processing. */
  PRIMARY_STATE_INACTIVE: 2,
  /**
   * This is the main state of the node's life cycle. While in this state, the node
   * performs any processing, responds to service requests, reads and processes
   * data, produces output, etc.
   */
  PRIMARY_STATE_ACTIVE: 3,
  /**
   * The finalized state is the state in which the node ends immediately before
   * being destroyed.
   */
  PRIMARY_STATE_FINALIZED: 4,
  /**
   * In this transition state the node's onConfigure callback will be called to
   * allow the node to load its configuration and conduct any required setup.
   */
  TRANSITION_STATE_CONFIGURING: 10,
  /**
   * In this transition state the node's callback onCleanup will be called to clear
   * all state and return the node to a functionally equivalent state as when
   * first created.
   */
  TRANSITION_STATE_CLEANINGUP: 11,
  /**
   * In this transition state the callback onShutdown will be executed to do any
   * cleanup necessary before destruction.
   */
  TRANSITION_STATE_SHUTTINGDOWN: 12,
  /**
   * In this transition state the callback onActivate will be executed to do any
   * final preparations to start executing.
   */
  TRANSITION_STATE_ACTIVATING: 13,
  /**
   * In this transition state the callback onDeactivate will be executed to do any
   * cleanup to start executing, and reverse the onActivate changes.
   */
  TRANSITION_STATE_DEACTIVATING: 14,
  /** This transition state is where any error may be cleaned up. */
  TRANSITION_STATE_ERRORPROCESSING: 15,
} as const;

/**
 * `lifecycle_msgs/msg/Transition`
 * Default values for transitions as described in:
 * http://design.ros2.org/articles/node_lifecycle.html
 */
export interface Transition {
  /** The transition id from above definitions. (uint8) */
  id: number;
  /** A text label of the transition. */
  label: string;
}
/** Constants of `lifecycle_msgs/msg/Transition`. */
export const Transition = {
  /**
   * This transition will instantiate the node, but will not run any code beyond
   * the constructor.
   */
  TRANSITION_CREATE: 0,
  /**
   * The node's onConfigure callback will be called to allow the node to load its
   * configuration and conduct any required setup.
   */
  TRANSITION_CONFIGURE: 1,
  /**
   * The node's callback onCleanup will be called in this transition to allow the
   * node to load its configuration and conduct any required setup.
   */
  TRANSITION_CLEANUP: 2,
  /**
   * The node's callback onActivate will be executed to do any final preparations
   * to start executing.
   */
  TRANSITION_ACTIVATE: 3,
  /**
   * The node's callback onDeactivate will be executed to do any cleanup to start
   * executing, and reverse the onActivate changes.
   */
  TRANSITION_DEACTIVATE: 4,
  /**
   * This signals shutdown during an unconfigured state, the node's callback
   * onShutdown will be executed to do any cleanup necessary before destruction.
   */
  TRANSITION_UNCONFIGURED_SHUTDOWN: 5,
  /**
   * This signals shutdown during an inactive state, the node's callback onShutdown
   * will be executed to do any cleanup necessary before destruction.
   */
  TRANSITION_INACTIVE_SHUTDOWN: 6,
  /**
   * This signals shutdown during an active state, the node's callback onShutdown
   * will be executed to do any cleanup necessary before destruction.
   */
  TRANSITION_ACTIVE_SHUTDOWN: 7,
  /** This transition will simply cause the deallocation of the node. */
  TRANSITION_DESTROY: 8,
  /**
   * Reserved [10-69], private transitions
   * These transitions are not publicly available and cannot be invoked by a user.
   * The following transitions are implicitly invoked based on the callback
   * feedback of the intermediate transition states.
   */
  TRANSITION_ON_CONFIGURE_SUCCESS: 10,
  TRANSITION_ON_CONFIGURE_FAILURE: 11,
  TRANSITION_ON_CONFIGURE_ERROR: 12,
  TRANSITION_ON_CLEANUP_SUCCESS: 20,
  TRANSITION_ON_CLEANUP_FAILURE: 21,
  TRANSITION_ON_CLEANUP_ERROR: 22,
  TRANSITION_ON_ACTIVATE_SUCCESS: 30,
  TRANSITION_ON_ACTIVATE_FAILURE: 31,
  TRANSITION_ON_ACTIVATE_ERROR: 32,
  TRANSITION_ON_DEACTIVATE_SUCCESS: 40,
  TRANSITION_ON_DEACTIVATE_FAILURE: 41,
  TRANSITION_ON_DEACTIVATE_ERROR: 42,
  TRANSITION_ON_SHUTDOWN_SUCCESS: 50,
  TRANSITION_ON_SHUTDOWN_FAILURE: 51,
  TRANSITION_ON_SHUTDOWN_ERROR: 52,
  TRANSITION_ON_ERROR_SUCCESS: 60,
  TRANSITION_ON_ERROR_FAILURE: 61,
  TRANSITION_ON_ERROR_ERROR: 62,
  /** The transition callback successfully performed its required functionality. */
  TRANSITION_CALLBACK_SUCCESS: 97,
  /** The transition callback failed to perform its required functionality. */
  TRANSITION_CALLBACK_FAILURE: 98,
  /**
   * The transition callback encountered an error that requires special cleanup, if
   * possible.
   */
  TRANSITION_CALLBACK_ERROR: 99,
} as const;

/**
 * `lifecycle_msgs/msg/TransitionDescription`
 * The transition id and label of this description.
 */
export interface TransitionDescription {
  transition: Transition;
  /** The current state from which this transition transitions. */
  start_state: State;
  /** The desired target state of this transition. */
  goal_state: State;
}

/**
 * `lifecycle_msgs/msg/TransitionEvent`
 * The time point at which this event occurred.
 */
export interface TransitionEvent {
  /** (uint64) */
  timestamp: bigint;
  /** The id and label of this transition event. */
  transition: Transition;
  /** The starting state from which this event transitioned. */
  start_state: State;
  /** The end state of this transition event. */
  goal_state: State;
}

/**
 * `lifecycle_msgs/srv/ChangeState_Request`
 * The requested transition.
 *
 * This change state service will fail if the transition is not possible.
 */
export interface ChangeState_Request {
  transition: Transition;
}

/**
 * `lifecycle_msgs/srv/ChangeState_Response`
 * Indicates whether the service was able to initiate the state transition
 */
export interface ChangeState_Response {
  success: boolean;
}

/** `lifecycle_msgs/srv/GetAvailableStates_Request` */
export type GetAvailableStates_Request = Record<string, never>;

/**
 * `lifecycle_msgs/srv/GetAvailableStates_Response`
 * Array of possible states that can be transitioned to.
 */
export interface GetAvailableStates_Response {
  available_states: State[];
}

/** `lifecycle_msgs/srv/GetAvailableTransitions_Request` */
export type GetAvailableTransitions_Request = Record<string, never>;

/**
 * `lifecycle_msgs/srv/GetAvailableTransitions_Response`
 * An array of the possible start_state-goal_state transitions
 */
export interface GetAvailableTransitions_Response {
  available_transitions: TransitionDescription[];
}

/** `lifecycle_msgs/srv/GetState_Request` */
export type GetState_Request = Record<string, never>;

/**
 * `lifecycle_msgs/srv/GetState_Response`
 * The current state-machine state of the node.
 */
export interface GetState_Response {
  current_state: State;
}

export interface Messages {
  "lifecycle_msgs/msg/State": State;
  "lifecycle_msgs/msg/Transition": Transition;
  "lifecycle_msgs/msg/TransitionDescription": TransitionDescription;
  "lifecycle_msgs/msg/TransitionEvent": TransitionEvent;
}

export interface Services {
  "lifecycle_msgs/srv/ChangeState": { request: ChangeState_Request; response: ChangeState_Response };
  "lifecycle_msgs/srv/GetAvailableStates": {
    request: GetAvailableStates_Request;
    response: GetAvailableStates_Response;
  };
  "lifecycle_msgs/srv/GetAvailableTransitions": {
    request: GetAvailableTransitions_Request;
    response: GetAvailableTransitions_Response;
  };
  "lifecycle_msgs/srv/GetState": { request: GetState_Request; response: GetState_Response };
}

/** @internal */
export const texts = {
  "lifecycle_msgs/msg/State":
    "uint8 PRIMARY_STATE_UNKNOWN = 0\nuint8 PRIMARY_STATE_UNCONFIGURED = 1\nuint8 PRIMARY_STATE_INACTIVE = 2\nuint8 PRIMARY_STATE_ACTIVE = 3\nuint8 PRIMARY_STATE_FINALIZED = 4\nuint8 TRANSITION_STATE_CONFIGURING = 10\nuint8 TRANSITION_STATE_CLEANINGUP = 11\nuint8 TRANSITION_STATE_SHUTTINGDOWN = 12\nuint8 TRANSITION_STATE_ACTIVATING = 13\nuint8 TRANSITION_STATE_DEACTIVATING = 14\nuint8 TRANSITION_STATE_ERRORPROCESSING = 15\nuint8 id\nstring label",
  "lifecycle_msgs/msg/Transition":
    "uint8 TRANSITION_CREATE = 0\nuint8 TRANSITION_CONFIGURE = 1\nuint8 TRANSITION_CLEANUP = 2\nuint8 TRANSITION_ACTIVATE = 3\nuint8 TRANSITION_DEACTIVATE = 4\nuint8 TRANSITION_UNCONFIGURED_SHUTDOWN = 5\nuint8 TRANSITION_INACTIVE_SHUTDOWN = 6\nuint8 TRANSITION_ACTIVE_SHUTDOWN = 7\nuint8 TRANSITION_DESTROY = 8\nuint8 TRANSITION_ON_CONFIGURE_SUCCESS = 10\nuint8 TRANSITION_ON_CONFIGURE_FAILURE = 11\nuint8 TRANSITION_ON_CONFIGURE_ERROR = 12\nuint8 TRANSITION_ON_CLEANUP_SUCCESS = 20\nuint8 TRANSITION_ON_CLEANUP_FAILURE = 21\nuint8 TRANSITION_ON_CLEANUP_ERROR = 22\nuint8 TRANSITION_ON_ACTIVATE_SUCCESS = 30\nuint8 TRANSITION_ON_ACTIVATE_FAILURE = 31\nuint8 TRANSITION_ON_ACTIVATE_ERROR = 32\nuint8 TRANSITION_ON_DEACTIVATE_SUCCESS = 40\nuint8 TRANSITION_ON_DEACTIVATE_FAILURE = 41\nuint8 TRANSITION_ON_DEACTIVATE_ERROR = 42\nuint8 TRANSITION_ON_SHUTDOWN_SUCCESS = 50\nuint8 TRANSITION_ON_SHUTDOWN_FAILURE = 51\nuint8 TRANSITION_ON_SHUTDOWN_ERROR = 52\nuint8 TRANSITION_ON_ERROR_SUCCESS = 60\nuint8 TRANSITION_ON_ERROR_FAILURE = 61\nuint8 TRANSITION_ON_ERROR_ERROR = 62\nuint8 TRANSITION_CALLBACK_SUCCESS = 97\nuint8 TRANSITION_CALLBACK_FAILURE = 98\nuint8 TRANSITION_CALLBACK_ERROR = 99\nuint8 id\nstring label",
  "lifecycle_msgs/msg/TransitionDescription": "Transition transition\nState start_state\nState goal_state",
  "lifecycle_msgs/msg/TransitionEvent":
    "uint64 timestamp\nTransition transition\nState start_state\nState goal_state",
  "lifecycle_msgs/srv/ChangeState": "Transition transition\n---\nbool success",
  "lifecycle_msgs/srv/GetAvailableStates": "---\nState[] available_states",
  "lifecycle_msgs/srv/GetAvailableTransitions": "---\nTransitionDescription[] available_transitions",
  "lifecycle_msgs/srv/GetState": "---\nState current_state",
};
