/**
 * Bags: what went over a graph's topics, recorded and played again; MCAP files in rosbag2's profile. What reads and
 * writes them is loaded by the first call.
 */
import type { Player, PlayOptions } from "./play.js";
import type { BagFile, BagInfo, BagMessage, BagReadOptions } from "./read.js";
import type { Recorder, RecordOptions } from "./record.js";
import type { BagWriterOptions } from "./write.js";

export type { Compression } from "./compression.js";
export { BagError } from "./errors.js";
export type { Player, PlayOptions } from "./play.js";
export type { BagFile, BagInfo, BagMessage, BagReadOptions, BagTopic } from "./read.js";
export type { Recorder, RecordOptions } from "./record.js";
export type { BagWriterOptions } from "./write.js";

/**
 * Records topics into an MCAP file until `stop()`; topics that appear later are joined. The file is in rosbag2's
 * profile: `ros2 bag play FILE` and Foxglove open it. A process that dies loses at most the last chunk.
 * @throws {BagError} if the file is there already or can't be made
 * @example
 * const robot = await ros.createNode("robot");
 * const place = robot.createPublisher(ros.msg("geometry_msgs/msg/Point"), "place", 10);
 * const recorder = await ros.bag.record("drive.mcap", { topics: ["/place"] });
 * place.publish({ x: 1 });
 * while (recorder.messageCount < 1) await robot.clock.sleep(0.01);
 * await recorder.stop();
 * await robot.destroy();
 * recorder.messageCount // 1
 */
export async function record(path: string, options: RecordOptions = {}): Promise<Recorder> {
  return (await import("./record.js")).record(path, options);
}

/**
 * Plays a bag: a publisher for each topic, with the quality of service that it was recorded with.
 * @param path an MCAP file, or rosbag2's folder around one
 * @throws {BagError} if it is no bag, or lacks a topic that `topics` names
 * @example
 * const player = await ros.bag.play("drive.mcap", { rate: 2, paused: true, remap: { "/place": "/old_place" } });
 * await player.step(); // one message
 * player.resume();
 * await player.finished;
 * player.messageCount // 1
 */
export async function play(path: string, options: PlayOptions = {}): Promise<Player> {
  return (await import("./play.js")).play(path, options);
}

/**
 * Makes a whole, indexed bag of a damaged one, as far as that goes.
 * @returns how many messages there were to save
 * @example
 * await ros.bag.recover("drive.mcap", "whole.mcap") // 1
 */
export async function recover(from: string, to: string, options: BagWriterOptions = {}): Promise<number> {
  return (await import("./record.js")).recover(from, to, options);
}

/**
 * Opens a bag to look into it and read it more than once: `bag.info`, `bag.messages(…)`. Close it, or `await using` it.
 * @param path an MCAP file, or rosbag2's folder around one
 * @throws {BagError} if it is none
 * @example
 * const drive = await ros.bag.open("drive.mcap");
 * for await (const { topic, message } of drive.messages({ end: 10 })) console.log(topic, message);
 * await drive.close();
 */
export async function open(path: string): Promise<BagFile> {
  return (await import("./read.js")).BagFile.open(path);
}

/**
 * What is in a bag: topics with their types, counts and QoS, times, whether it is whole.
 * @param path an MCAP file, or rosbag2's folder around one
 * @throws {BagError} if it is none
 * @example
 * (await ros.bag.info("drive.mcap")).topics.map(({ name, count }) => [name, count]) // [["/place", 1]]
 */
export async function info(path: string): Promise<BagInfo> {
  await using bag = await open(path);
  return bag.info;
}

/**
 * A bag's messages in the order of time, without a graph.
 * @throws {BagError} if it is no bag, or lacks a topic that is named
 * @example
 * for await (const { topic, message } of ros.bag.read("drive.mcap", { topics: ["/place"] })) console.log(topic, message);
 */
export async function* read(
  path: string,
  options: BagReadOptions = {},
): AsyncGenerator<BagMessage, void, void> {
  await using bag = await open(path);
  yield* bag.messages(options);
}
