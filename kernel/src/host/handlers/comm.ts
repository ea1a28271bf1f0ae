/**
 * comm_open, comm_msg, comm_close and comm_info_request. Only the last one has a reply. The others are over when their
 * listeners have run: a front end that waits for idle sends no faster than they can follow.
 */
import { type Handler, type Request, stringField } from "../context.js";

export const commOpen: Handler = async (request, { comms, executor }) => {
  comms.opened(commId(request), stringField(request.content, "target_name"));
  await executor.sendComm("open", request);
  return undefined;
};

export const commMessage: Handler = async (request, { executor }) => {
  commId(request);
  await executor.sendComm("msg", request);
  return undefined;
};

export const commClose: Handler = async (request, { comms, executor }) => {
  comms.closed(commId(request));
  await executor.sendComm("close", request);
  return undefined;
};

/** @throws Error, which the kernel logs: the message has no reply. */
function commId({ content }: Request): string {
  const { comm_id: id } = content;
  if (typeof id === "string" && id !== "") return id;
  throw new Error(`comm_id is ${JSON.stringify(id)}, expected a string`);
}

export const commInfo: Handler = ({ content }, { comms }) => {
  const target = stringField(content, "target_name");
  return { status: "ok", comms: comms.list(target === "" ? undefined : target) };
};
