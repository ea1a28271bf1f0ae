/** Nodes: what programs hold of ROS 2, over whatever carries the messages. */
export { parseRosArguments, type RosArguments } from "./arguments.js";
export { CallbackGroup } from "./callback-group.js";
export type { Client } from "./client.js";
export { Clock, type ClockType, type JumpOptions, type TimeJump } from "./clock.js";
export { createNode, type NodeOptions } from "./create.js";
export * from "./errors.js";
export { defaultExecutor, Executor } from "./executor.js";
export { LOG_LEVELS, type Logger, type LogLevel, type LogOptions, type LogRecord } from "./logger.js";
export {
  expandName,
  fullNamespace,
  type NameKind,
  type NameOwner,
  validateFullTopicName,
  validateNamespace,
  validateNodeName,
  validateTopicName,
} from "./names.js";
export type {
  CallbackFailure,
  CreateOptions,
  Node,
  ServiceOptions,
  SubscribeOptions,
  TimerOptions,
} from "./node.js";
export type { ParameterClient, ParameterEvent } from "./parameter-client.js";
export type { DescriptorOptions, ParameterDescriptor, ParameterRange } from "./parameter-descriptor.js";
export type { ParameterInput, ParameterType, ParameterValue } from "./parameter-value.js";
export type {
  DeclareOptions,
  OnSetCallback,
  Parameter,
  PostSetCallback,
  PreSetCallback,
  SetParametersResult,
} from "./parameters.js";
export type { Publisher } from "./publisher.js";
export { type QoSInput, qos, resolveQoS } from "./qos.js";
export type { Rate } from "./rate.js";
export { parseRemapRule, type RemapRule } from "./remap.js";
export type { Service, ServiceCallback } from "./service.js";
export { type FirstMessageOptions, firstMessage, spin } from "./spin.js";
export type { MessageCallback, MessageStream, Subscription } from "./subscription.js";
export { durationMessage, durationSeconds, Time, type TimeMessage } from "./time.js";
export { machineTime, type TimeBase, VirtualTime } from "./time-base.js";
export type { Timer, TimerCallback, TimerInfo } from "./timer.js";
export type { WaitOptions } from "./wait.js";
