/** Names of topics, services and types as rosbridge's clients write them. */

/** `std_msgs/String` is `std_msgs/msg/String`, as rosbridge takes both. */
export function fullType(type: string, kind: "msg" | "srv" | "action"): string {
  const parts = type.split("/");
  return parts.length === 2 ? `${parts[0]}/${kind}/${parts[1]}` : type;
}

/** `chatter` is `/chatter`: a bridge has no namespace. */
export const fullName = (name: string): string => (name.startsWith("/") ? name : `/${name}`);

const NAME = /^(\/(?!.*__)[A-Za-z_][A-Za-z0-9_]*)+$/;

/** Whether ROS allows a topic or service of that full name. */
export const isName = (name: string): boolean => name.length <= 255 && NAME.test(name);
