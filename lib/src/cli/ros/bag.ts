/** `mlsys ros bag` and `mlsys ros bridge`: what runs on a graph until it is stopped. */
import { type Command, InvalidArgumentError, Option } from "commander";
import type { BagInfo } from "../../robotics/ros/bag/index.js";
import { stopped } from "../service.js";

function number(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value >= 0)) throw new InvalidArgumentError("A number from 0.");
  return value;
}

const remap = (text: string, before: Record<string, string> = {}): Record<string, string> => {
  const parts = /^([^:=]+):=([^:=]+)$/.exec(text);
  if (parts === null) throw new InvalidArgumentError("Expected FROM:=TO.");
  return { ...before, [parts[1]]: parts[2] };
};

const HOST = () =>
  new Option("--host <kind>", "what carries the messages (default: MLSYS_ROS, else rclnodejs)").choices([
    "graph",
    "rclnodejs",
  ]);

interface Where {
  readonly host?: "graph" | "rclnodejs";
  readonly domain?: number;
}

/** A process of its own has nobody on an in-process graph: ROS 2, unless told. */
const selection = ({ host, domain }: Where) => ({
  host: host ?? (process.env.MLSYS_ROS ? undefined : ("rclnodejs" as const)),
  domain,
});

export function addRosBag(program: Command, signal: AbortSignal): void {
  const ros = program.commands.find((command) => command.name() === "ros") ?? program.command("ros");
  const bag = ros.command("bag").description("record what goes over topics, and play it again (MCAP files)");
  bag
    .command("record")
    .description("record topics until it is stopped (Ctrl-C)")
    .argument("<file>", "the bag to make")
    .argument("[topics...]", "full names; none: all that are not hidden")
    .addOption(HOST())
    .option("--domain <id>", "domain id (default: ROS_DOMAIN_ID, else 0)", number)
    .addOption(new Option("--compression <kind>", "of chunks").choices(["none", "zstd"]).default("zstd"))
    .option("--hidden", "also hidden topics, as those of actions", false)
    .option("--overwrite", "write over a file that is there", false)
    .action(async (file: string, topics: string[], options: Where & RecordFlags) => {
      const { record } = await import("../../robotics/ros/bag/index.js");
      const recorder = await record(file, {
        ...selection(options),
        ...(topics.length > 0 && { topics }),
        compression: options.compression,
        includeHidden: options.hidden,
        overwrite: options.overwrite,
        signal,
      });
      process.stdout.write(`recording into ${file}; Ctrl-C ends it\n`);
      const awake = setInterval(() => {}, 2 ** 30); // a host need not keep the process
      await recorder.finished.finally(() => clearInterval(awake));
      const lost = recorder.lostCount > 0 ? `, ${recorder.lostCount} lost as the disk was too slow` : "";
      process.stdout.write(`${file}: ${recorder.messageCount} messages${lost}\n`);
    });
  bag
    .command("play")
    .description("publish a bag's messages at its pace")
    .argument("<file>", "an MCAP file, or rosbag2's folder around one")
    .addOption(HOST())
    .option("--domain <id>", "domain id (default: ROS_DOMAIN_ID, else 0)", number)
    .option("--rate <factor>", "how much faster than recorded", number, 1)
    .option("--start <seconds>", "from there", number, 0)
    .option("--delay <seconds>", "before the first message, for others to find the topics", number, 1)
    .option("--topics <names...>", "only these")
    .option("--remap <from:=to>", "publish a topic under another name; again for more", remap)
    .option("--clock [hz]", "publish the bag's time on /clock", number)
    .option("--loop", "over and over until it is stopped", false)
    .action(async (file: string, options: Where & PlayFlags) => {
      const { play } = await import("../../robotics/ros/bag/index.js");
      const { host, domain, ...rest } = options;
      const player = await play(file, { ...selection({ host, domain }), ...rest, signal });
      await player.finished;
      process.stdout.write(`${file}: ${player.messageCount} messages played\n`);
    });
  bag
    .command("info")
    .description("what is in a bag")
    .argument("<file>", "an MCAP file, or rosbag2's folder around one")
    .option("--json", "as JSON", false)
    .action(async (file: string, { json }: { json: boolean }) => {
      const { info } = await import("../../robotics/ros/bag/index.js");
      const found = await info(file);
      const text = json
        ? JSON.stringify(found, (_, value) => (typeof value === "bigint" ? String(value) : value), 2)
        : infoAsText(found);
      process.stdout.write(`${text}\n`);
    });
  bag
    .command("recover")
    .description("make a whole bag of a damaged one, as far as it goes")
    .argument("<from>")
    .argument("<to>")
    .action(async (from: string, to: string) => {
      const { recover } = await import("../../robotics/ros/bag/index.js");
      process.stdout.write(`${to}: ${await recover(from, to)} messages saved\n`);
    });
  ros
    .command("bridge")
    .description("let web pages onto the graph by the rosbridge protocol, until it is stopped")
    .addOption(HOST())
    .option("--domain <id>", "domain id (default: ROS_DOMAIN_ID, else 0)", number)
    .option("--port <port>", "where to listen; 0 for a free one", number, 9090)
    .option("--address <address>", "who reaches it commands the robot: there is no password", "127.0.0.1")
    .option("--origins <origins...>", "web pages that may connect besides this machine's; * for all")
    .action(async (options: Where & { port: number; address: string; origins?: string[] }) => {
      const { rosbridge } = await import("../../robotics/ros/rosbridge/index.js");
      const { port, address, origins } = options;
      const bridge = await rosbridge({
        ...selection(options),
        port,
        address,
        origins: origins?.includes("*") ? "*" : origins,
      });
      process.stdout.write(`rosbridge: ${bridge.url}\n`);
      await stopped(signal);
      await bridge.close();
    });
}

interface RecordFlags {
  readonly compression: "none" | "zstd";
  readonly hidden: boolean;
  readonly overwrite: boolean;
}

interface PlayFlags {
  readonly rate: number;
  readonly start: number;
  readonly delay: number;
  readonly topics?: string[];
  readonly remap?: Record<string, string>;
  readonly clock?: number | boolean;
  readonly loop: boolean;
}

function infoAsText(info: BagInfo): string {
  const date = (time: bigint) => new Date(Number(time / 1_000_000n)).toISOString();
  const width = Math.max(0, ...info.topics.map(({ name }) => name.length));
  return [
    `${info.path}: ${(info.size / 1e6).toFixed(2)} MB, ${info.compression.join(", ") || "empty"}`,
    ...(info.complete ? [] : [`damaged: ${info.problem}`]),
    `${info.messageCount} messages in ${info.duration.toFixed(3)} s, ${date(info.start)} to ${date(info.end)}`,
    ...info.topics.map(
      ({ name, type, count, problem }) =>
        `  ${name.padEnd(width)}  ${String(count).padStart(8)}  ${type}${problem ? ` (${problem})` : ""}`,
    ),
  ].join("\n");
}
