/** What can go wrong with a node; each names the node, topic, service or parameter that it is about. */
import { MlsysError } from "../../../core/errors.js";

/** ROS can't do what it was asked for; the message says what and why. Base of the errors of nodes. */
export class RosError extends MlsysError {
  override name = "RosError";
}

/** A name of a node, namespace, topic or parameter that breaks ROS 2's rules; `position` is where. */
export class InvalidNameError extends RosError {
  override name = "InvalidNameError";
  constructor(
    message: string,
    readonly position: number,
  ) {
    super(message);
  }
}

/** Something was used after its node was destroyed, or was waited for when that happened. */
export class NodeDestroyedError extends RosError {
  override name = "NodeDestroyedError";
}

/** Nothing came within the given time. */
export class RosTimeoutError extends RosError {
  override name = "RosTimeoutError";
}

/** A parameter that nobody declared, on a node that does not allow that. */
export class ParameterNotDeclaredError extends RosError {
  override name = "ParameterNotDeclaredError";
}

/** A parameter declared twice. */
export class ParameterAlreadyDeclaredError extends RosError {
  override name = "ParameterAlreadyDeclaredError";
}

/** A value that a parameter does not take: another type, out of range, refused by a callback. */
export class InvalidParameterValueError extends RosError {
  override name = "InvalidParameterValueError";
}

/** A declared parameter that has a type but no value yet. */
export class ParameterUninitializedError extends RosError {
  override name = "ParameterUninitializedError";
}

/** A read-only parameter that someone wants to undeclare or describe anew. */
export class ParameterImmutableError extends RosError {
  override name = "ParameterImmutableError";
}

/** Arguments after `--ros-args`, or a parameter file, that can't be read. */
export class RosArgumentError extends RosError {
  override name = "RosArgumentError";
}
