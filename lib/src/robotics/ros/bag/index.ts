/** Bags: what went over a graph's topics, recorded and played again; MCAP files in rosbag2's profile. */
import { BagFile, type BagInfo, type BagMessage, type BagReadOptions } from "./read.js";

export type { Compression } from "./compression.js";
export { BagError } from "./errors.js";
export { type Player, type PlayOptions, play } from "./play.js";
export { BagFile, type BagInfo, type BagMessage, type BagReadOptions, type BagTopic } from "./read.js";
export { type Recorder, type RecordOptions, record, recover } from "./record.js";
export type { BagWriterOptions } from "./write.js";

/**
 * What is in a bag: topics with their types, counts and QoS, times, whether it is whole.
 * @param path an MCAP file, or rosbag2's folder around one
 * @throws {BagError} if it is none
 */
export async function info(path: string): Promise<BagInfo> {
  await using bag = await BagFile.open(path);
  return bag.info;
}

/**
 * A bag's messages in the order of time, without a graph.
 * @throws {BagError} if it is no bag, or lacks a topic that is named
 * @example
 * for await (const { topic, message } of robotics.ros.bag.read("drive.mcap", { topics: ["/odom"] })) console.log(message);
 */
export async function* read(
  path: string,
  options: BagReadOptions = {},
): AsyncGenerator<BagMessage, void, void> {
  await using bag = await BagFile.open(path);
  yield* bag.messages(options);
}
