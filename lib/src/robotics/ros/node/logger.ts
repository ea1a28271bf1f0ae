/** Logging: to the console as ROS 2 prints it, and to `/rosout` for everybody. */
import { RosError } from "./errors.js";

/** `rcl_interfaces/msg/Log`'s levels. */
export const LOG_LEVELS = Object.freeze({ debug: 10, info: 20, warn: 30, error: 40, fatal: 50 });

export type LogLevel = keyof typeof LOG_LEVELS;

/** One message as it is logged; the fields of `rcl_interfaces/msg/Log`. */
export interface LogRecord {
  readonly level: LogLevel;
  /** The logger's name: `namespace.node`, with `.child` after it. */
  readonly name: string;
  readonly message: string;
  /** Nanoseconds of the node's clock. */
  readonly stamp: bigint;
  /** Where it was logged; `line` counts from 1, 0 if unknown. */
  readonly file: string;
  readonly function: string;
  readonly line: number;
}

export interface LogOptions {
  /** At most one message in so many seconds of the node's clock, from this place in the code. */
  readonly throttle?: number;
  /** Only the first, from this place in the code. */
  readonly once?: boolean;
  /** Not the first, from this place in the code. */
  readonly skipFirst?: boolean;
}

/** What loggers of one node share. */
export interface LogSink {
  nanoseconds(): bigint;
  write(record: LogRecord): void;
  /** Where filters remember what each place in the code has logged. */
  readonly places: Map<string, Place>;
  /** Set levels by logger name. */
  readonly levels: Map<string, LogLevel>;
}

interface Place {
  last: bigint | undefined;
  count: number;
}

/**
 * Logs for a node. Made by `node.logger`.
 * @example
 * const lines: string[] = [];
 * const node = await ros.createNode("talker", { onLog: ({ level, message }) => lines.push(`${level} ${message}`) });
 * node.logger.info("ready");
 * for (let i = 0; i < 9; i++) node.logger.warn("no scan", { throttle: 5 }); // at most every 5 s
 * node.logger.debug("not shown");
 * await node.destroy();
 * lines // ["info ready", "warn no scan"]
 */
export class Logger {
  /** @internal */
  constructor(
    readonly name: string,
    private readonly sink: LogSink,
  ) {}

  debug(message: unknown, options?: LogOptions): void {
    this.#log("debug", message, options);
  }

  info(message: unknown, options?: LogOptions): void {
    this.#log("info", message, options);
  }

  warn(message: unknown, options?: LogOptions): void {
    this.#log("warn", message, options);
  }

  error(message: unknown, options?: LogOptions): void {
    this.#log("error", message, options);
  }

  fatal(message: unknown, options?: LogOptions): void {
    this.#log("fatal", message, options);
  }

  /** The level below which nothing is logged: its own, else that of the nearest above it, else info. */
  get level(): LogLevel {
    for (let name = this.name; ; ) {
      const level = this.sink.levels.get(name);
      if (level) return level;
      const dot = name.lastIndexOf(".");
      if (dot < 0) return this.sink.levels.get("") ?? "info";
      name = name.slice(0, dot);
    }
  }

  /** @throws RosError if there is no such level */
  setLevel(level: LogLevel): void {
    if (!Object.hasOwn(LOG_LEVELS, level))
      throw new RosError(`a log level is one of ${Object.keys(LOG_LEVELS).join(", ")}, not ${String(level)}`);
    this.sink.levels.set(this.name, level);
  }

  isEnabled(level: LogLevel): boolean {
    return LOG_LEVELS[level] >= LOG_LEVELS[this.level];
  }

  /** A logger whose name goes below this one's, for a part of the node. */
  getChild(name: string): Logger {
    if (name === "") throw new RosError("a child logger needs a name");
    return new Logger(`${this.name}.${name}`, this.sink);
  }

  #log(level: LogLevel, message: unknown, options: LogOptions = {}): void {
    if (!this.isEnabled(level)) return;
    const place = caller();
    const stamp = this.sink.nanoseconds();
    if (!this.#passes(`${place.file}:${place.line}:${place.column}`, stamp, options)) return;
    const text = message instanceof Error ? (message.stack ?? message.message) : String(message);
    const { file, line } = place;
    this.sink.write({ level, name: this.name, message: text, stamp, file, function: place.function, line });
  }

  #passes(key: string, stamp: bigint, { throttle, once, skipFirst }: LogOptions): boolean {
    if (throttle === undefined && !once && !skipFirst) return true;
    const place = this.sink.places.get(key) ?? { last: undefined, count: 0 };
    this.sink.places.set(key, place);
    place.count++;
    if (skipFirst && place.count === 1) return false;
    if (once && place.count > (skipFirst ? 2 : 1)) return false;
    if (throttle !== undefined) {
      const wait = BigInt(Math.round(throttle * 1e9));
      // time set back begins anew
      if (place.last !== undefined && stamp >= place.last && stamp - place.last < wait) return false;
      place.last = stamp;
    }
    return true;
  }
}

/** Of a stack's line: `at name (file:line:column)` or `at file:line:column`. */
const FRAME = /^\s*at (?:(?:async )?(.*?) \()?(.*?):(\d+):(\d+)\)?$/;

/** The place that called the logger: three calls up. */
function caller(): { file: string; function: string; line: number; column: number } {
  const holder: { stack?: string } = {};
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 4;
  Error.captureStackTrace(holder);
  Error.stackTraceLimit = limit;
  const match = FRAME.exec(holder.stack?.split("\n")[4] ?? "");
  if (!match) return { file: "", function: "", line: 0, column: 0 };
  return { function: match[1] ?? "", file: match[2], line: Number(match[3]), column: Number(match[4]) };
}

/** A record as ROS 2's console shows it: `[INFO] [1700000000.000000000] [talker]: text`. */
export function formatLog({ level, stamp, name, message }: LogRecord): string {
  const seconds = stamp / 1_000_000_000n;
  const rest = String(stamp % 1_000_000_000n).padStart(9, "0");
  return `[${level.toUpperCase()}] [${seconds}.${rest}] [${name}]: ${message}`;
}
