/** The case study's programs by package and name, as `ros2 run PACKAGE PROGRAM` finds them. */
import { ValueError } from "../../core/errors.js";
import type { Node } from "../ros/node/node.js";
import { spin } from "../ros/node/spin.js";
import { irisActionDeciderService } from "./action-decider.js";
import { concatTwoStrClientAsync, concatTwoStrService } from "./concat-two-str.js";
import { helloWorldNode, messageSubscriber, parametrisedHelloWorldNode } from "./hello-world.js";
import { mySumActionClient, mySumActionServer } from "./my-sum.js";
import { imagePublisherNode, objectDetectorNode } from "./object-detector.js";

/** Runs until it is done or `signal` is aborted. @throws ValueError for arguments that it can't use */
export type Program = (args: readonly string[], signal: AbortSignal) => Promise<void>;

const forever =
  (create: (args: readonly string[]) => Promise<Node>): Program =>
  async (args, signal) => {
    await using node = await create(args);
    await spin(node, { signal });
  };

export const PACKAGES: Readonly<Record<string, Readonly<Record<string, Program>>>> = {
  my_hello_world: {
    hello_world_node: forever(() => helloWorldNode()),
    message_subscriber: forever(() => messageSubscriber()),
    parametrised_hello_world_node: forever(() => parametrisedHelloWorldNode()),
    concat_two_str_service: forever(() => concatTwoStrService()),
    async concat_two_str_client_async(args, signal) {
      if (args.length !== 2)
        throw new ValueError(`concat_two_str_client_async: two strings expected, got ${args.length}`);
      await concatTwoStrClientAsync(args[0], args[1], { signal });
    },
    my_sum_action_server: forever(() => mySumActionServer()),
    async my_sum_action_client(args, signal) {
      const list = args.map(Number);
      const bad = list.findIndex((value) => value !== (value | 0));
      if (bad >= 0) throw new ValueError(`my_sum_action_client: ${args[bad]} is no int32`);
      await mySumActionClient(list, { signal });
    },
  },
  object_detector: { object_detector_node: forever(() => objectDetectorNode()) },
  image_publisher: {
    image_publisher_node: forever((args) => {
      if (args.length !== 1) throw new ValueError("image_publisher_node: the path of one picture expected");
      return imagePublisherNode(args[0]);
    }),
  },
  action_decider: { action_decider_node: forever(() => irisActionDeciderService()) },
};
