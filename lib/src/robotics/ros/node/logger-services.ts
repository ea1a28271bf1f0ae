/** Levels of a node's loggers, asked for and set from outside, as rclcpp and rclpy offer them. */
import { srv } from "../interfaces/registry.js";
import { LOG_LEVELS, type LogLevel } from "./logger.js";
import type { Node } from "./node.js";

/** Offers `<node>/get_logger_levels` and `<node>/set_logger_levels`; `levels` are by logger name. */
export function serveLogLevels(node: Node, levels: Map<string, LogLevel>): void {
  const options = { group: node.createCallbackGroup() };
  node.createService(
    srv("rcl_interfaces/srv/GetLoggerLevels"),
    "~/get_logger_levels",
    ({ names }) => ({ levels: names.map((name) => ({ name, level: numberOf(levels.get(name)) })) }),
    options,
  );
  node.createService(
    srv("rcl_interfaces/srv/SetLoggerLevels"),
    "~/set_logger_levels",
    (request) => ({ results: request.levels.map(({ name, level }) => set(levels, name, level)) }),
    options,
  );
}

/** 0 where none is set. */
const numberOf = (level: LogLevel | undefined): number => (level === undefined ? 0 : LOG_LEVELS[level]);

function set(levels: Map<string, LogLevel>, name: string, level: number) {
  if (level === 0) levels.delete(name);
  else {
    const found = Object.entries(LOG_LEVELS).find(([, number]) => number === level);
    if (!found) return { successful: false, reason: `there is no log level ${level}` };
    levels.set(name, found[0] as LogLevel);
  }
  return { successful: true, reason: "" };
}
