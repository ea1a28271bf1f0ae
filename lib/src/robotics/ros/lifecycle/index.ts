/** Managed nodes, and those that bring them up and down. */
export { createLifecycleNode } from "./create.js";
export { bringTo, LifecycleClient, LifecycleManager, type LifecycleManagerOptions } from "./manager.js";
export {
  type LifecycleCallbacks,
  LifecycleNode,
  type LifecyclePublisher,
  type TransitionCallback,
} from "./node.js";
export {
  LifecycleError,
  type LifecycleState,
  type PrimaryState,
  type Transition,
  type TransitionName,
  type TransitionOutcome,
} from "./state-machine.js";
