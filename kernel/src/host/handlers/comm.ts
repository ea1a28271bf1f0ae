/** comm_open, comm_msg, comm_close and comm_info_request. Only the last one has a reply. */
import { type Handler, stringField } from "../context.js";

export const commOpen: Handler = (request, { comms, executor }) => {
  comms.opened(stringField(request.content, "comm_id"), stringField(request.content, "target_name"));
  executor.sendComm("open", request);
  return undefined;
};

export const commMessage: Handler = (request, { executor }) => {
  executor.sendComm("msg", request);
  return undefined;
};

export const commClose: Handler = (request, { comms, executor }) => {
  comms.closed(stringField(request.content, "comm_id"));
  executor.sendComm("close", request);
  return undefined;
};

export const commInfo: Handler = ({ content }, { comms }) => {
  const target = stringField(content, "target_name");
  return { status: "ok", comms: comms.list(target === "" ? undefined : target) };
};
