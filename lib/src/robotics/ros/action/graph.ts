/** Which actions there are, from the services and topics that they consist of. */
import type { NamesAndTypes } from "../host.js";
import type { Node } from "../node/node.js";

const SERVICE = /^(.*)\/_action\/send_goal$/;
const TYPE = /^(.*)_SendGoal$/;

/**
 * Actions that have a server or a client, with their types, as far as `node` knows.
 * @example
 * const node = await ros.createNode("adder");
 * node.createActionServer(ros.action("my_interfaces/action/MySum"), "my_sum", { execute: (goal) => goal.abort() });
 * const [found] = ros.getActionNamesAndTypes(node);
 * await node.destroy();
 * found // { "name": "/my_sum", "types": ["my_interfaces/action/MySum"] }
 */
export function getActionNamesAndTypes(node: Node): readonly NamesAndTypes[] {
  return node.getServiceNamesAndTypes().flatMap(({ name, types }) => {
    const action = SERVICE.exec(name)?.[1];
    if (action === undefined) return [];
    return [{ name: action, types: types.map((type) => TYPE.exec(type)?.[1] ?? type) }];
  });
}
