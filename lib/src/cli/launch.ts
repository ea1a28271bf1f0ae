/** `mlsys launch`: runs a launch file, and writes what its processes say with their names in front. */
import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { ValueError } from "../core/errors.js";
import type { LaunchDescription } from "../robotics/ros/launch/description.js";
import { joinLaunch } from "../robotics/ros/launch/join.js";
import { scriptRunner } from "../robotics/ros/launch/run.js";
import { type LaunchEvent, LaunchService } from "../robotics/ros/launch/service.js";
import { CommandError, ExitCode } from "./errors.js";
import type { LaunchArguments } from "./launch-options.js";
import { takeTypeScript } from "./run/member.js";
import { labelWith, writeLine } from "./run/prefix.js";
import { say } from "./run/processes.js";

/** @throws CommandError of a file that is none; ExitCode of the first process that failed, 130 when interrupted */
export async function launchFile(
  file: string,
  words: readonly string[],
  options: LaunchArguments,
): Promise<void> {
  const args = launchArguments(words);
  const description = await load(file);
  if (options.showArgs) {
    process.stdout.write(showArguments(description));
    return;
  }
  const stopped = new Stopped();
  const colored = process.stdout.isTTY && process.env.NO_COLOR === undefined;
  const { join, bringUp } = await joinLaunch();
  const service = new LaunchService(description, {
    args,
    folder: dirname(resolve(file)),
    runner: colored ? { ...scriptRunner, env: { ...scriptRunner.env, FORCE_COLOR: "1" } } : scriptRunner,
    onEvent: writer(),
    ...{ join, bringUp },
  });
  stopped.service = service;
  try {
    const { code } = await service.run();
    if (stopped.code !== null) throw new ExitCode(stopped.code);
    if (code !== 0) throw new ExitCode(code);
  } catch (error) {
    if (error instanceof ValueError)
      throw new CommandError(`${file}: ${error.message.replace(/^launch: /, "")}`);
    throw error;
  } finally {
    stopped.forget();
  }
}

async function load(file: string): Promise<LaunchDescription> {
  if (!existsSync(file)) throw new CommandError(`${file} is not there`);
  takeTypeScript();
  const { default: description } = (await import(pathToFileURL(resolve(file)).href)) as { default?: unknown };
  if (typeof description === "object" && description !== null && "kind" in description)
    if (description.kind === "launch") return description as LaunchDescription;
  throw new CommandError(`${file}: its default export is no launch description: export default launch(…)`);
}

/** @throws CommandError of a word that is not `name:=value` */
function launchArguments(words: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    words.map((word) => {
      const [, name, value] = /^([\w-]+):=(.*)$/s.exec(word) ?? [];
      if (name === undefined)
        throw new CommandError(`"${word}": name:=value is expected after the launch file`);
      return [name, value];
    }),
  );
}

function showArguments({ declared }: LaunchDescription): string {
  if (declared === null) return "It takes any arguments.\n";
  const lines = Object.entries(declared).map(([name, { description, default: fallback, choices }]) => {
    const notes = [
      description,
      choices && `one of ${choices.join(", ")}`,
      fallback === undefined ? "needed" : `default: ${fallback}`,
    ];
    return `  ${name}:=  ${notes.filter((note) => note !== undefined).join("; ")}\n`;
  });
  return lines.length === 0 ? "It takes no arguments.\n" : `Arguments:\n${lines.join("")}`;
}

/** Lines of processes with their name in front; what the launcher does itself on stderr. */
function writer(): (event: LaunchEvent) => void | Promise<void> {
  const labels = new Map<string, string>();
  const label = (name: string): string => {
    const known = labels.get(name) ?? labelWith(name, labels.size);
    labels.set(name, known);
    return known;
  };
  return (event) => {
    switch (event.type) {
      case "output":
        return writeLine(process[event.stream], `${label(event.name)}${event.line}\n`);
      case "start":
        return say(`${event.name} started (process ${event.pid})`);
      case "exit":
        return say(
          `${event.name} ended${event.signal ? ` by ${event.signal}` : ` with exit code ${event.code}`}`,
        );
      case "respawn":
        return say(`${event.name} starts again${event.delay > 0 ? ` in ${event.delay} s` : ""}`);
      case "escalate":
        return say(`${event.name} did not end in time: ${event.signal}`);
      case "log":
        return say(event.text);
      case "shutdown":
        return say(`ending all: ${event.reason}`);
      case "error":
        return say(
          `${event.name === null ? "" : `${event.name}: `}${event.error.stack ?? event.error.message}`,
        );
    }
  };
}

/** Signals end all: the first asks, the second asks harder, the third kills. */
class Stopped {
  /** What the launcher then exits with. */
  code: number | null = null;
  service: LaunchService | null = null;
  private readonly handlers = new Map<NodeJS.Signals, () => void>();

  constructor() {
    for (const [name, code] of [
      ["SIGINT", 130],
      ["SIGTERM", 143],
      ["SIGHUP", 129],
    ] as const) {
      const handler = (): void => {
        this.code ??= code;
        this.service?.shutdown(name);
      };
      this.handlers.set(name, handler);
      process.removeAllListeners(name); // the command's own exits at the second, and would leave processes behind
      process.on(name, handler);
    }
  }

  forget(): void {
    for (const [name, handler] of this.handlers) process.off(name, handler);
  }
}
