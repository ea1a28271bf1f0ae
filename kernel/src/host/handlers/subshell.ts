/** create_subshell_request, delete_subshell_request and list_subshell_request, on control (JEP 91). */
import { type Handler, stringField } from "../context.js";
import { unknownShell } from "../shells.js";

export const createSubshell: Handler = (_request, { executor }) => ({
  status: "ok",
  subshell_id: executor.shells.create().id,
});

export const deleteSubshell: Handler = ({ content }, { executor }) => {
  const id = stringField(content, "subshell_id");
  return executor.deleteShell(id) ? { status: "ok" } : { status: "error", ...unknownShell(id) };
};

export const listSubshells: Handler = (_request, { executor }) => ({
  status: "ok",
  subshell_id: executor.shells.ids,
});
