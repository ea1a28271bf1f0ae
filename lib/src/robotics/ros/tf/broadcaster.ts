/** Sending transforms to all nodes, and taking those of all nodes in: topics `/tf` and `/tf_static`. */
import { msg } from "../interfaces/registry.js";
import type { MessageInit } from "../interfaces/types.js";
import { CallbackGroup } from "../node/callback-group.js";
import type { Node } from "../node/node.js";
import type { Publisher } from "../node/publisher.js";
import type { QoSInput } from "../node/qos.js";
import { TransformBuffer, type TransformStamped } from "./buffer.js";
import { TransformException } from "./errors.js";

const TFMessage = msg("tf2_msgs/msg/TFMessage");
type TransformsMessage = NonNullable<(typeof TFMessage)["__message"]>;

/** Of frames that move: the last 100 wait for a slow listener. */
export const TF_QOS: QoSInput = { depth: 100 };
/** Of frames that don't: who comes later gets them too. */
export const TF_STATIC_QOS: QoSInput = { depth: 1, durability: "transient_local" };
const TF_STATIC_LISTENER_QOS: QoSInput = { depth: 100, durability: "transient_local" };

/** Frames that move. Send each often: between two times listeners interpolate, beyond the last they know nothing. */
export class TransformBroadcaster implements Disposable {
  private readonly publisher: Publisher<TransformsMessage>;

  constructor(node: Node, qos: QoSInput = TF_QOS) {
    this.publisher = node.createPublisher(TFMessage, "/tf", qos);
  }

  /** @throws TypeError of a transform that does not fit its type */
  send(...transforms: readonly TransformStamped[]): void {
    this.publisher.publish({ transforms } as MessageInit<TransformsMessage>);
  }

  destroy(): void {
    this.publisher.destroy();
  }

  [Symbol.dispose](): void {
    this.destroy();
  }
}

/** Frames that don't move in their parents, such as a sensor on its robot: sent once, and known to who comes later. */
export class StaticTransformBroadcaster implements Disposable {
  private readonly publisher: Publisher<TransformsMessage>;
  /** A late joiner sees the last message alone: each has all. */
  private readonly sent = new Map<string, TransformStamped>();

  constructor(node: Node, qos: QoSInput = TF_STATIC_QOS) {
    this.publisher = node.createPublisher(TFMessage, "/tf_static", qos);
  }

  /** @throws TypeError of a transform that does not fit its type */
  send(...transforms: readonly TransformStamped[]): void {
    for (const transform of transforms) this.sent.set(transform.child_frame_id, transform);
    this.publisher.publish({ transforms: [...this.sent.values()] } as MessageInit<TransformsMessage>);
  }

  destroy(): void {
    this.publisher.destroy();
  }

  [Symbol.dispose](): void {
    this.destroy();
  }
}

/**
 * Fills a buffer with what nodes send.
 * @example
 * const node = await ros.createNode("localizer");
 * const { buffer } = new ros.tf.TransformListener(node);
 * new ros.tf.TransformBroadcaster(node).send({
 *   header: { stamp: node.now().toMessage(), frame_id: "map" }, child_frame_id: "base",
 *   transform: { translation: { x: 2, y: 0, z: 0 }, rotation: ros.tf.QUATERNION_IDENTITY } });
 * const { transform } = await buffer.waitFor("map", "base");
 * await node.destroy();
 * transform.translation.x // 2
 */
export class TransformListener implements Disposable {
  private readonly ends: readonly (() => void)[];

  constructor(
    node: Node,
    readonly buffer = new TransformBuffer({ time: node.time }),
  ) {
    const group = new CallbackGroup("reentrant"); // a callback may wait for a transform
    const take = (isStatic: boolean) => (message: TransformsMessage) => {
      for (const transform of message.transforms)
        try {
          if (!buffer.set(transform, { isStatic }))
            node.logger.warn(`a transform of frame "${transform.child_frame_id}" is too old: dropped`, {
              throttle: 1,
            });
        } catch (error) {
          if (!(error instanceof TransformException)) throw error;
          node.logger.warn(error.message, { throttle: 1 });
        }
    };
    const subscriptions = [
      node.createSubscription(TFMessage, "/tf", take(false), { qos: TF_QOS, group }),
      node.createSubscription(TFMessage, "/tf_static", take(true), { qos: TF_STATIC_LISTENER_QOS, group }),
    ];
    this.ends = subscriptions.map((subscription) => () => subscription.destroy());
  }

  destroy(): void {
    for (const end of this.ends) end();
  }

  [Symbol.dispose](): void {
    this.destroy();
  }
}
