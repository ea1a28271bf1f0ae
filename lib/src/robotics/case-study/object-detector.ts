/** The book's perception: a camera's pictures in, whether a pineapple is in the middle out. (Book, 14.3's case.) */
import { readFile } from "node:fs/promises";
import { decodeImage } from "../../data/vision/codec.js";
import type { Image } from "../../data/vision/image.js";
import { imageToMessage, messageToImage } from "../ros/image.js";
import { msg } from "../ros/interfaces/registry.js";
import { createNode, type NodeOptions } from "../ros/node/create.js";
import type { Node } from "../ros/node/node.js";
import { type ImageClassifier, loadClassifier } from "./classifier.js";
import { FRUIT_CLASSES } from "./fruit.js";

export interface ObjectDetectorOptions extends NodeOptions {
  /** Default: from the file that the parameter `model_path` names, else the library's own for fruit. */
  readonly classifier?: ImageClassifier;
}

/**
 * `object_detector_node`: for each picture on `camera_topic` it says on `object_detected` whether its class is that of the
 * parameter `detection_class_id`, by default ImageNet's pineapple.
 * @throws as `loadClassifier`
 * @example
 * const node = await robotics.caseStudy.objectDetectorNode({ remap: { camera_topic: "image_raw" } });
 * await node.destroy();
 */
export async function objectDetectorNode({
  classifier,
  ...options
}: ObjectDetectorOptions = {}): Promise<Node> {
  const node = await createNode("object_detector_node", options);
  try {
    node.declareParameter("detection_class_id", FRUIT_CLASSES.pineapple, { type: "integer" });
    const path = String(node.declareParameter("model_path", ""));
    const network = classifier ?? (await loadClassifier(path === "" ? undefined : path));
    const publisher = node.createPublisher(msg("std_msgs/msg/Bool"), "object_detected", 10);
    node.createSubscription(
      msg("sensor_msgs/msg/Image"),
      "camera_topic",
      (message) => {
        node.logger.info("Received an image, ready to detect!");
        const target = Number(node.getParameter("detection_class_id"));
        const data = network.classify(messageToImage(message)) === target;
        publisher.publish({ data });
        node.logger.info(`Detected: "${data ? "True" : "False"}", target class id: ${target}`);
      },
      10,
    );
    node.logger.info("Detector node is ready.");
    return node;
  } catch (error) {
    await node.destroy();
    throw error;
  }
}

/**
 * `image_publisher_node`: one picture, again and again, on `image_raw`; the parameter `publish_rate` is in Hz (10).
 * @param picture pixels, or the path of a PNG or JPEG file
 * @throws ValueError for a file that is no picture
 * @example
 * const camera = await robotics.caseStudy.imagePublisherNode(robotics.caseStudy.fruitPhoto("apple", 1));
 * await camera.destroy();
 */
export async function imagePublisherNode(picture: Image | string, options?: NodeOptions): Promise<Node> {
  const image = typeof picture === "string" ? await decodeImage(await readFile(picture)) : picture;
  const message = imageToMessage(image);
  const node = await createNode("image_publisher_node", options);
  try {
    const rate = Number(
      node.declareParameter("publish_rate", 10.0, { range: { from: 1e-3, to: 1e3 }, readOnly: true }),
    );
    const publisher = node.createPublisher(msg("sensor_msgs/msg/Image"), "image_raw", 10);
    const header = () => ({ stamp: node.now().toMessage(), frame_id: "camera" });
    node.createTimer(1 / rate, () => publisher.publish({ ...message, header: header() }));
    return node;
  } catch (error) {
    await node.destroy();
    throw error;
  }
}
