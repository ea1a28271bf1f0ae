/** A Jupyter client in Node: starts any kernel over zeromq and drives it through the protocol alone. */

export type { ConnectionInfo } from "../protocol/connection.js";
export type { Header, Json, Message } from "../protocol/message.js";
export { type ExecuteOptions, type ExecuteResult, KernelClient, type KernelOutput } from "./client.js";
export {
  type ConnectionPlace,
  type KernelProcess,
  type LaunchOptions,
  type LaunchSpec,
  launchKernel,
  makeConnection,
} from "./launch.js";
