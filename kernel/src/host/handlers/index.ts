/** The protocol as a table: which message has which handler. execute_request goes to the executor's queue. */
import type { Handler } from "../context.js";
import { commClose, commInfo, commMessage, commOpen } from "./comm.js";
import { debug } from "./debug.js";
import { history } from "./history.js";
import { complete, inspect, isComplete } from "./introspect.js";
import { connect, interrupt, kernelInfo, shutdown } from "./kernel-info.js";
import { createSubshell, deleteSubshell, listSubshells } from "./subshell.js";
import { usage } from "./usage.js";

export const HANDLERS: Readonly<Record<string, Handler>> = {
  kernel_info_request: kernelInfo,
  connect_request: connect,
  shutdown_request: shutdown,
  interrupt_request: interrupt,
  usage_request: usage,
  create_subshell_request: createSubshell,
  delete_subshell_request: deleteSubshell,
  list_subshell_request: listSubshells,
  complete_request: complete,
  inspect_request: inspect,
  is_complete_request: isComplete,
  history_request: history,
  comm_open: commOpen,
  comm_msg: commMessage,
  comm_close: commClose,
  comm_info_request: commInfo,
  debug_request: debug,
};
