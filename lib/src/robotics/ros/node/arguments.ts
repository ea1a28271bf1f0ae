/** What ROS 2 programs are told on the command line, after `--ros-args`. */
import { RosArgumentError } from "./errors.js";
import { LOG_LEVELS, type LogLevel } from "./logger.js";
import { type ParameterRule, parseParameterRule, readParameterFile } from "./parameter-file.js";
import { parseRemapRule, type RemapRule } from "./remap.js";

export interface RosArguments {
  readonly remaps: readonly RemapRule[];
  /** In order: later ones win. */
  readonly parameters: readonly ParameterRule[];
  /** By logger name; `""` for all. */
  readonly logLevels: ReadonlyMap<string, LogLevel>;
  /** What was not for ROS. */
  readonly rest: readonly string[];
}

interface Draft {
  remaps: RemapRule[];
  parameters: ParameterRule[];
  logLevels: Map<string, LogLevel>;
}

/** Each with what it does with the argument that follows it. */
const OPTIONS: Record<string, (draft: Draft, value: string) => void> = {
  "--remap": (draft, value) => draft.remaps.push(parseRemapRule(value)),
  "--param": (draft, value) => draft.parameters.push(parseParameterRule(value)),
  "--params-file": (draft, value) => draft.parameters.push(...readParameterFile(value)),
  "--log-level": (draft, value) => {
    const [name, level] = value.includes(":=") ? value.split(":=") : ["", value];
    const lower = level.toLowerCase();
    if (!Object.hasOwn(LOG_LEVELS, lower))
      throw new RosArgumentError(
        `--log-level ${value}: a level is one of ${Object.keys(LOG_LEVELS).join(", ")}`,
      );
    draft.logLevels.set(name, lower as LogLevel);
  },
  // where security files and log settings lie: nothing here reads them
  "--enclave": () => {},
  "--log-config-file": () => {},
};

const SHORT: Record<string, string> = { "-r": "--remap", "-p": "--param", "-e": "--enclave" };

/** Where logs go is this library's business. */
const FLAGS = /^--(enable|disable)-(rosout-logs|stdout-logs|external-lib-logs)$/;

/**
 * Arguments between `--ros-args` and `--`, or the end; there may be several such groups.
 * @throws RosArgumentError that names the argument; InvalidNameError
 * @example
 * ros.parseRosArguments(["--fast", "--ros-args", "-r", "chatter:=talk", "-p", "rate:=2.0"]).rest // ["--fast"]
 */
export function parseRosArguments(args: readonly string[]): RosArguments {
  const draft: Draft = { remaps: [], parameters: [], logLevels: new Map() };
  const rest: string[] = [];
  let inside = false;
  for (let i = 0; i < args.length; i++) {
    const arg = args[i];
    if (arg === "--ros-args") inside = true;
    else if (!inside) rest.push(arg);
    else if (arg === "--") inside = false;
    else if (!FLAGS.test(arg)) {
      const option = OPTIONS[SHORT[arg] ?? arg];
      if (!option)
        throw new RosArgumentError(
          `${arg} after --ros-args: known are ${[...Object.keys(OPTIONS), ...Object.keys(SHORT)].join(", ")}`,
        );
      const value = args[++i];
      if (value === undefined) throw new RosArgumentError(`${arg} needs something after it`);
      option(draft, value);
    }
  }
  return { ...draft, rest };
}
