/**
 * comm_open, comm_msg, comm_close and comm_info_request. Only the last one has a reply. The others are over when their
 * listeners have run: a front end that waits for idle sends no faster than they can follow.
 */
import { type Handler, stringField } from "../context.js";

export const commOpen: Handler = async (request, { comms, executor }) => {
  comms.opened(stringField(request.content, "comm_id"), stringField(request.content, "target_name"));
  await executor.sendComm("open", request);
  return undefined;
};

export const commMessage: Handler = async (request, { executor }) => {
  await executor.sendComm("msg", request);
  return undefined;
};

export const commClose: Handler = async (request, { comms, executor }) => {
  comms.closed(stringField(request.content, "comm_id"));
  await executor.sendComm("close", request);
  return undefined;
};

export const commInfo: Handler = ({ content }, { comms }) => {
  const target = stringField(content, "target_name");
  return { status: "ok", comms: comms.list(target === "" ? undefined : target) };
};
