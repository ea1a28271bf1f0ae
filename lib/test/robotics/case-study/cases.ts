/** The book's case study on every host: names, messages, answers and log lines are the book's. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { encodeImage } from "../../../src/data/vision/codec.js";
import * as study from "../../../src/robotics/case-study/index.js";
import { msg, srv } from "../../../src/robotics/ros/interfaces/registry.js";
import { createNode, type NodeOptions } from "../../../src/robotics/ros/node/create.js";
import type { Node } from "../../../src/robotics/ros/node/node.js";
import { VirtualTime } from "../../../src/robotics/ros/node/time-base.js";
import { type Subject, until } from "../ros/harness.js";

const Text = msg("std_msgs/msg/String");

/** The case study's programs on one host, an observer on the other; logs by node. */
async function stage(
  subject: Subject,
  play: (scene: {
    own: (more?: NodeOptions) => NodeOptions;
    observer: Node;
    logs: (name: string) => string[];
    onStage: <T extends AsyncDisposable>(node: Promise<T>) => Promise<T>;
  }) => Promise<void>,
): Promise<void> {
  const pair = await subject.open();
  const lines: { name: string; message: string }[] = [];
  const ends: AsyncDisposable[] = [];
  const onStage = async <T extends AsyncDisposable>(node: Promise<T>): Promise<T> => {
    const there = await node;
    ends.push(there);
    return there;
  };
  const own = (more: NodeOptions = {}): NodeOptions => ({
    host: pair.near,
    onLog: (record) => lines.push(record),
    ...more,
  });
  try {
    const observer = await onStage(createNode("observer", { host: pair.far }));
    const logs = (name: string) => lines.filter((line) => line.name === name).map(({ message }) => message);
    await play({ own, observer, logs, onStage });
  } finally {
    for (const end of ends.reverse()) await end[Symbol.asyncDispose]();
    await pair.end();
  }
}

export function caseStudyCases(subject: Subject): void {
  it("my_hello_world_node says hello each second, my_hello_world_subscriber hears it", () =>
    stage(subject, async ({ own, observer, logs, onStage }) => {
      const time = new VirtualTime();
      const heard: string[] = [];
      observer.createSubscription(Text, "hello_world_topic", ({ data }) => heard.push(data), 10);
      await onStage(study.messageSubscriber(own()));
      const talker = await onStage(study.helloWorldNode(own({ time })));
      expect(talker.fullyQualifiedName).toBe("/my_hello_world_node");
      await until(() => observer.getPublishersInfoByTopic("/hello_world_topic").length === 1);
      await until(() => talker.getSubscriptionsInfoByTopic("/hello_world_topic").length === 2);
      for (let i = 0; i < 3; i++) {
        await time.advance(1);
        await until(() => heard.length === i + 1);
      }
      expect(heard).toEqual(["Hello World: 0", "Hello World: 1", "Hello World: 2"]);
      await until(() => logs("my_hello_world_subscriber").length === 3);
      expect(logs("my_hello_world_subscriber")[2]).toBe('Received "Hello World: 2"');
      expect(logs("my_hello_world_node")[0]).toBe('Publishing: "Hello World: 0"');
    }));

  it("parametrised_hello_world_node greets whom it is told to, from the next second on", () =>
    stage(subject, async ({ own, observer, onStage }) => {
      const time = new VirtualTime();
      const heard: string[] = [];
      observer.createSubscription(Text, "hello_world_topic", ({ data }) => heard.push(data), 10);
      const node = await onStage(study.parametrisedHelloWorldNode(own({ time })));
      await until(() => node.getSubscriptionsInfoByTopic("/hello_world_topic").length === 1);
      await time.advance(1);
      await until(() => heard.length === 1);
      const remote = observer.parameterClient("parametrised_hello_world_node");
      expect(await remote.waitForServices({ timeout: 60 })).toBe(true);
      expect(await remote.list()).toEqual(expect.arrayContaining(["name", "use_sim_time"]));
      await remote.set({ name: "ROS2" });
      await time.advance(1);
      await until(() => heard.length === 2);
      expect(heard).toEqual(["Hello world: 0", "Hello ROS2: 1"]);
    }));

  it("concat_two_str_client_async waits for the service and gets HelloWorld", () =>
    stage(subject, async ({ own, logs, onStage }) => {
      const time = new VirtualTime();
      const answer = study.concatTwoStrClientAsync("Hello", "World", own({ time }));
      while (logs("concat_two_str_client_async").length === 0) await time.advance(1);
      expect(logs("concat_two_str_client_async")[0]).toBe("service not available, waiting again...");
      await onStage(study.concatTwoStrService(own()));
      expect(await answer).toBe("HelloWorld");
      expect(logs("concat_two_str_client_async").at(-1)).toBe(
        "Result of concat_two_str: (Hello, World) -> HelloWorld",
      );
      expect(logs("concat_two_str_service")).toEqual(["Incoming request\nstr1: Hello\nstr2: World"]);
    }));

  it("my_sum_action_client 1 2 3: feedback 1, 3, 6, result 6", () =>
    stage(subject, async ({ own, logs, onStage }) => {
      await onStage(study.mySumActionServer(own()));
      expect(await study.mySumActionClient([1, 2, 3], own())).toEqual({
        feedback: [1, 3, 6],
        status: "succeeded",
        sum: 6,
      });
      expect(logs("my_sum_action_client")).toEqual([
        "Goal accepted.",
        "Received feedback: 1",
        "Received feedback: 3",
        "Received feedback: 6",
        "Result: 6",
      ]);
      expect(logs("my_sum_action_server")).toEqual([
        "Executing goal...",
        "Feedback: 1",
        "Feedback: 3",
        "Feedback: 6",
      ]);
    }));

  it("my_sum_action_client, interrupted, cancels its goal and gets the sum so far", () =>
    stage(subject, async ({ own, logs, onStage }) => {
      const time = new VirtualTime();
      await onStage(study.mySumActionServer({ ...own({ time }), pause: 1 }));
      const stop = new AbortController();
      const trace = study.mySumActionClient([1, 2, 3], { ...own(), signal: stop.signal });
      await until(() => logs("my_sum_action_server").includes("Executing goal..."));
      while (!logs("my_sum_action_client").includes("Received feedback: 1")) await time.advance(0.5);
      stop.abort();
      const { status, sum } = (await trace)!;
      expect(status).toBe("canceled");
      expect([1, 3]).toContain(sum);
    }));

  it("object_detector_node sees the pineapple and takes no apple for one", { timeout: 300_000 }, () =>
    stage(subject, async ({ own, observer, logs, onStage }) => {
      const seen: boolean[] = [];
      observer.createSubscription(
        msg("std_msgs/msg/Bool"),
        "object_detected",
        ({ data }) => seen.push(data),
        10,
      );
      const detector = await onStage(
        study.objectDetectorNode(own({ args: ["--ros-args", "-r", "camera_topic:=image_raw"] })),
      );
      expect(logs("object_detector_node")).toEqual(["Detector node is ready."]);
      await until(() => detector.getSubscriptionsInfoByTopic("/object_detected").length === 1);
      const folder = await mkdtemp(join(tmpdir(), "mlsys-fruit-"));
      try {
        for (const [kind, expected] of [
          ["pineapple", true],
          ["apple", false],
        ] as const) {
          const file = join(folder, `${kind}.png`);
          await writeFile(file, await encodeImage(study.fruitPhoto(kind, 4_711)));
          const time = new VirtualTime();
          const camera = await onStage(
            study.imagePublisherNode(file, own({ time, parameters: { publish_rate: 1.0 } })),
          );
          await until(() => camera.getSubscriptionsInfoByTopic("/image_raw").length === 1);
          const before = seen.length;
          await time.advance(1);
          await until(() => seen.length > before);
          expect(seen.slice(before)).toEqual([expected]);
          await camera.destroy();
        }
      } finally {
        await rm(folder, { recursive: true });
      }
      expect(logs("object_detector_node").slice(1)).toEqual([
        "Received an image, ready to detect!",
        'Detected: "True", target class id: 953',
        "Received an image, ready to detect!",
        'Detected: "False", target class id: 953',
      ]);
    }),
  );

  it("iris_action_decider_service trains once, prunes (1, 2, 3, 4), and heeds a new table", () =>
    stage(subject, async ({ own, observer, logs, onStage }) => {
      const folder = await mkdtemp(join(tmpdir(), "mlsys-iris-"));
      try {
        const model_path = join(folder, "model.json");
        const serve = () => onStage(study.irisActionDeciderService(own({ parameters: { model_path } })));
        const first = await serve();
        const client = observer.createClient(srv("my_interfaces/srv/IrisData"), "iris_action_decider");
        const decide = async (...[sepal_length, sepal_width, petal_length, petal_width]: number[]) => {
          expect(await client.waitForService({ timeout: 60 })).toBe(true);
          return (await client.call({ sepal_length, sepal_width, petal_length, petal_width })).action;
        };
        expect(await decide(1, 2, 3, 4)).toBe("prune");
        expect(await decide(5.1, 3.5, 1.4, 0.2)).toBe("fertilise");
        expect(await decide(6.0, 2.7, 4.2, 1.3)).toBe("idle");
        await first.setParameters({ "actions.virginica": "water" });
        expect(await decide(1, 2, 3, 4)).toBe("water");
        const said = logs("iris_action_decider_service");
        expect(said[0]).toBe(`Cannot find trained model at '${model_path}', will train a new model.`);
        expect(said[1]).toBe("Iris action decider service is ready.");
        expect(said[2]).toContain("iris class: virginica\ndecided action: prune");
        await first.destroy();
        const model = await readFile(model_path, "utf8");
        const second = await serve();
        expect(logs("iris_action_decider_service").filter((line) => line.startsWith("Cannot"))).toHaveLength(
          1,
        );
        expect(await readFile(model_path, "utf8")).toBe(model);
        await second.destroy();
        await writeFile(model_path, model.slice(0, 40));
        await expect(serve()).rejects.toThrow("holds no model; delete it to train a new one");
        await writeFile(model_path, "{}");
        await expect(serve()).rejects.toThrow("no decision tree");
      } finally {
        await rm(folder, { recursive: true });
      }
    }));
}
