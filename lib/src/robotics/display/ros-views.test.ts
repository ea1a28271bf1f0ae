import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { MimeBundle } from "../../core/display.js";
import { createNode, graphHost, msg, type Node, qos, type RosHost } from "../ros/index.js";
import { SimulatorNode } from "../simulate/bridge/simulator-node.js";
import { room } from "../simulate/generate.js";
import { Simulation } from "../simulate/simulation.js";
import { ArrivalRate } from "./arrival-rate.js";
import { RosGraphView } from "./graph-view.js";
import { MapView } from "./map-view.js";
import { TfTreeView } from "./tf-view.js";
import { messageText, TopicEcho, TopicPlot } from "./topic-views.js";

const Text = msg("std_msgs/msg/String");
const Odometry = msg("nav_msgs/msg/Odometry");
const PUBLISH = Symbol.for("Jupyter.publish");
const hooks = globalThis as Record<symbol, unknown>;

let host: RosHost;
const nodes: Node[] = [];

beforeEach(() => {
  host = graphHost({ domain: 0 });
});

afterEach(async () => {
  delete hooks[PUBLISH];
  for (const node of nodes.splice(0)) await node.destroy();
  await host.shutdown();
});

async function make(name: string, namespace = ""): Promise<Node> {
  const node = await createNode(name, { host, namespace, useGlobalArguments: false });
  nodes.push(node);
  return node;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}

/** What is shown, of the displays whose text fits: the last drawing of an earlier test may still be on its way. */
function notebook(text: RegExp): MimeBundle[] {
  const shown: MimeBundle[] = [];
  hooks[PUBLISH] = (bundle: MimeBundle) => {
    if (text.test(String(bundle["text/plain"]))) shown.push(bundle);
  };
  return shown;
}

describe("the ROS graph", () => {
  it("draws nodes and topics, and again when they come and go", async () => {
    const [watcher, talker] = [await make("watcher"), await make("talker", "robot")];
    const view = new RosGraphView(watcher, { hide: /rosout|parameter_events|watcher/, interval: 0 });
    const shown = notebook(/chatter|^$/);
    const publisher = talker.createPublisher(Text, "/chatter", 10);
    const last = (): string => String(shown.at(-1)?.["text/plain"]);
    await until(() => last() === "/robot/talker → /chatter → nobody");
    const listener = await make("listener");
    const subscription = listener.createSubscription(Text, "/chatter", () => {});
    await until(() => last() === "/robot/talker → /chatter → /listener");
    expect(view.nodes()).toEqual(["/listener", "/robot/talker"]);
    const svg = String(shown.at(-1)?.["image/svg+xml"]);
    for (const text of ["/robot/talker", "/chatter", "/listener", "std_msgs/msg/String"])
      expect(svg).toContain(text);
    expect(svg.match(/class="edge"/g)).toHaveLength(2);
    publisher.destroy();
    subscription.destroy();
    await until(() => last() === "");
    await watcher.destroy();
    expect(view.stopped).toBe(true);
    expect((await view.bundle())["image/svg+xml"]).toContain("/listener"); // as it was last seen
  });

  it("leaves out dead ends where it is told to", async () => {
    const node = await make("only");
    node.createPublisher(Text, "up", 1);
    expect(new RosGraphView(node).topics().map(({ name }) => name)).toEqual(["/up"]);
    expect(new RosGraphView(node, { deadEnds: false }).topics()).toEqual([]);
    expect(new RosGraphView(node, { hide: /only/ }).topics()).toEqual([]); // nobody who is drawn
  });
});

describe("echo", () => {
  it("shows the newest message, and how many there were", async () => {
    const [node, talker] = [await make("watcher"), await make("talker")];
    const echo = new TopicEcho(node, Odometry, "odom", { interval: 0 });
    const shown = notebook(/^.odom/);
    const publisher = talker.createPublisher(Odometry, "odom", 10);
    await publisher.waitForSubscriptions();
    expect(String(echo)).toBe("/odom (nav_msgs/msg/Odometry): 0 messages");
    for (const x of [1, 2])
      publisher.publish({ child_frame_id: "<base>", pose: { pose: { position: { x } } } });
    await until(() => echo.count === 2);
    expect(echo.latest?.pose.pose.position.x).toBe(2);
    const html = String(shown.at(-1)?.["text/html"]);
    expect(html).toContain("child_frame_id: &#39;&#60;base&#62;&#39;");
    expect(html).toContain("covariance: [0, 0, 0, 0, 0, 0, 0, 0, … 36 elements]");
    echo.stop();
    expect(talker.countSubscribers("odom")).toBe(0);
  });

  it("writes messages as YAML does, cut short", () => {
    const message = {
      name: "x",
      n: 2n ** 60n,
      flag: true,
      at: { x: 0.1, y: Number.NaN },
      data: Uint8Array.from({ length: 100 }, (_, i) => i),
      list: [{ a: 1 }, { a: 2, b: "z" }],
      none: [],
    };
    expect(messageText(message)).toBe(
      [
        "name: 'x'",
        "n: 1152921504606846976",
        "flag: true",
        "at:",
        "  x: 0.1",
        "  y: NaN",
        "data: [0, 1, 2, 3, 4, 5, 6, 7, … 100 elements]",
        "list:",
        "  - a: 1",
        "  - a: 2",
        "    b: 'z'",
        "none: []",
      ].join("\n"),
    );
  });
});

describe("the plot of a topic", () => {
  it("collects fields over the stamps, draws while it runs and is a figure in the end", async () => {
    const [node, talker] = [await make("watcher"), await make("talker")];
    const plot = new TopicPlot(
      node,
      Odometry,
      "odom",
      {
        x: "pose.pose.position.x",
        covariance: "pose.covariance[7]",
        speed: (m) => m.twist.twist.linear.x * 2,
      },
      { interval: 0, points: 3 },
    );
    const shown = notebook(/^.odom/);
    const publisher = talker.createPublisher(Odometry, "odom", 10);
    await publisher.waitForSubscriptions();
    for (let i = 0; i < 4; i++) {
      const covariance = new Float64Array(36);
      covariance[7] = i / 10;
      publisher.publish({
        header: { stamp: { sec: 10 + i, nanosec: 500_000_000 } },
        pose: { pose: { position: { x: i * i } }, covariance },
        twist: { twist: { linear: { x: i === 2 ? Number.NaN : i } } },
      });
      await until(() => plot.count === i + 1);
    }
    expect(plot.lines.x).toEqual({ x: [1, 2, 3], y: [1, 4, 9] });
    expect(plot.lines.covariance.y).toEqual([0.1, 0.2, 0.3]);
    expect(plot.lines.speed.y).toEqual([2, Number.NaN, 6]);
    expect(shown.at(-1)?.["application/vnd.plotly.v1+json"]).toBeUndefined();
    expect(String(shown.at(-1)?.["image/svg+xml"]).match(/<polyline/g)).toHaveLength(3);
    plot.stop();
    const figure = shown.at(-1)?.["application/vnd.plotly.v1+json"] as {
      data: { name: string; y: unknown }[];
    };
    expect(figure.data.map(({ name }) => name)).toEqual(["x", "covariance", "speed"]);
    expect(figure.data[2].y).toEqual([2, null, 6]);
    for (const type of ["image/svg+xml", "text/html"]) expect(shown.at(-1)?.[type]).toContain("<svg");
  });

  it("shows the newest window only, while it runs", async () => {
    const [node, talker] = [await make("watcher"), await make("talker")];
    const plot = new TopicPlot(node, Odometry, "odom", ["pose.pose.position.x"], { window: 2 });
    const publisher = talker.createPublisher(Odometry, "odom", { ...qos.default, depth: 100 });
    await publisher.waitForSubscriptions();
    for (let sec = 1; sec <= 9; sec++) {
      publisher.publish({ header: { stamp: { sec } }, pose: { pose: { position: { x: sec } } } });
      await until(() => plot.count === sec);
    }
    const count = (): number =>
      /points="([^"]*)"/.exec(String(plot.bundle()["image/svg+xml"]))?.[1].split(" ").length ?? 0;
    expect(count()).toBe(3);
    plot.stop();
    expect(count()).toBe(9);
  });

  it("says what is no path, and where a message has no number", async () => {
    const [node, talker] = [await make("watcher"), await make("talker")];
    expect(() => new TopicPlot(node, Text, "t", ["a..b"])).toThrow('got "a..b"');
    expect(() => new TopicPlot(node, Text, "t", [])).toThrow("there is no field to plot");
    const failures: unknown[] = [];
    node.onError = ({ error }) => failures.push(error);
    new TopicPlot(node, Text, "t", ["data"]);
    const publisher = talker.createPublisher(Text, "t", 10);
    await publisher.waitForSubscriptions();
    publisher.publish({ data: "no number" });
    await until(() => failures.length > 0);
    expect(String(failures[0])).toContain("the message has no number at data: no number");
  });
});

describe("the map", () => {
  it("shows map, robot and scan where transforms put them, and path, particles and pose", async () => {
    const drift = { odometryNoise: [0.1, 0.1, 0.1, 0.1] as const };
    const simulation = new Simulation(room({ width: 8, height: 6 }), {
      robots: [{ pose: { x: 4, y: 3, theta: 0 }, ...drift }],
      dt: 0.05,
    });
    const simulator = await SimulatorNode.create(simulation, {
      host,
      localize: true,
      useGlobalArguments: false,
    });
    nodes.push(simulator.node);
    const [node, planner] = [await make("watcher"), await make("planner")];
    const view = new MapView(node, { width: 320 });
    expect(view.svg()).toContain("no transform from base_link to map");
    await until(
      () => simulator.node.countSubscribers("scan") === 1 && simulator.node.countSubscribers("/tf") === 1,
    );
    simulation.robot.command({ linear: 0.5, angular: 0.3 });
    simulator.step(40);
    const { x, y } = simulation.robot.pose;
    expect(
      Math.hypot(simulation.robot.state.odometry.x - x, simulation.robot.state.odometry.y - y),
    ).toBeGreaterThan(0.01);
    const wanted = `Map(162 × 122 cells of 0.05 m; robot at (${x.toFixed(2)}, ${y.toFixed(2)}))`;
    await until(() => String(view) === wanted && view.svg().includes('fill-opacity=".16"'));
    expect(view.svg()).not.toContain("no transform");
    const path = planner.createPublisher(msg("nav_msgs/msg/Path"), "plan", 1);
    const cloud = planner.createPublisher(msg("geometry_msgs/msg/PoseArray"), "particle_cloud", 1);
    const pose = planner.createPublisher(msg("geometry_msgs/msg/PoseWithCovarianceStamped"), "pose", 1);
    for (const publisher of [path, cloud, pose]) await publisher.waitForSubscriptions();
    const at = (px: number) => ({ position: { x: px, y: 2 } });
    path.publish({ poses: [{ pose: at(1) }, { pose: at(2) }] });
    cloud.publish({ poses: [at(1), at(2)] });
    const covariance = new Float64Array(36);
    covariance[0] = covariance[7] = 0.04;
    pose.publish({ pose: { pose: at(3), covariance } });
    const parts = ["stroke-dasharray", 'opacity=".55"', "<ellipse"];
    await until(() => parts.every((part) => view.svg().includes(part)));
    view.stop();
    expect(planner.countSubscribers("plan")).toBe(0);
  });
});

describe("the tree of frames", () => {
  it("hangs frames below their parents, static ones dashed", async () => {
    const [node, talker] = [await make("watcher"), await make("talker")];
    const type = msg("tf2_msgs/msg/TFMessage");
    const still = talker.createPublisher(type, "/tf_static", { durability: "transient_local", depth: 1 });
    const frame = (parent: string, child: string, x: number) => ({
      header: { frame_id: parent, stamp: { sec: Math.floor(x) } },
      child_frame_id: child,
      transform: { translation: { x } },
    });
    still.publish({ transforms: [frame("base_link", "laser", 0.1)] });
    const view = new TfTreeView(node);
    const moving = talker.createPublisher(type, "/tf", 10);
    await moving.waitForSubscriptions();
    moving.publish({ transforms: [frame("odom", "base_link", 1), frame("map", "odom", 0)] });
    moving.publish({ transforms: [frame("odom", "base_link", 2)] });
    await until(
      () => view.buffer.frames().some(({ count }) => count === 2) && view.buffer.can("map", "laser"),
    );
    expect(view.roots()).toEqual(["map"]);
    expect(String(view)).toBe("map\n  odom\n    base_link\n      laser");
    const svg = String((await view.bundle())["image/svg+xml"]);
    expect(svg).toContain("stroke-dasharray"); // the laser's
    for (const label of ["1.0 Hz", "once", "static", "(2.00, 0.00, 0.00) m"]) expect(svg).toContain(label);
    view.stop();
    expect(node.countSubscribers("/tf")).toBe(0);
  });

  it("measures rates by the time between arrivals", () => {
    const rate = new ArrivalRate();
    expect(rate.hertz).toBeNaN();
    for (let i = 0; i < 100; i++) rate.count(7 + i * 0.05);
    expect(rate.hertz).toBeCloseTo(20, 9);
    expect(rate.total).toBe(100);
    rate.count(1); // a simulation that starts again
    expect(rate.hertz).toBeNaN();
    rate.count(1.5);
    expect(rate.hertz).toBe(2);
  });
});
