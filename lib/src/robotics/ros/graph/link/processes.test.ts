/** Links with real processes and threads. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { afterEach, describe, expect, it, vi } from "vitest";
import {
  fresh,
  LATCHED,
  listen,
  nodeOn,
  ofType,
  qos,
  String_,
  talk,
  until,
} from "../../../../../test/robotics/ros/harness.js";
import { msg, srv } from "../../interfaces/registry.js";
import { type GraphHost, graphHost, LINK_TO_PARENT } from "../index.js";

const Image = msg("sensor_msgs/msg/Image");
const Bool = msg("std_msgs/msg/Bool");
const SetBool = srv("std_srvs/srv/SetBool");

const ECHO = fileURLToPath(new URL("../../../../../test/robotics/ros/echo.mjs", import.meta.url));

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

function open(lease = 60): GraphHost {
  const host = graphHost({ network: fresh("processes"), domain: 9, announceInterval: 0.1, lease });
  ends.push(() => host.shutdown());
  return host;
}

function start(
  environment: Record<string, string>,
  serialization: "advanced" | "json" = "advanced",
): ChildProcess {
  const child = fork(ECHO, {
    serialization,
    execArgv: [],
    env: { ...process.env, ROS_DOMAIN_ID: "9", ...environment },
  });
  ends.push(() => child.kill("SIGKILL"));
  return child;
}

/** Everything that the other side offers, once over. */
async function visit(host: GraphHost): Promise<void> {
  const { publisher } = talk(host, Image, "/image");
  const echo = listen(host, Image, "/echo");
  const client = nodeOn(host).createClient(SetBool, "/service", { qos: qos() });
  const map = listen(host, String_, "/map", LATCHED);
  await until(() => publisher.subscriptionCount === 1 && echo.subscription.publisherCount === 1);
  const data = Uint8Array.from({ length: 1 << 20 }, (_, i) => (i * 31) >> 3);
  publisher.publish(Image.create({ header: { stamp: { sec: 1, nanosec: 2 }, frame_id: "camera" }, data }));
  await until(() => echo.messages.length === 1 && map.messages.length === 1 && client.isServiceAvailable());
  expect(Buffer.compare(echo.messages[0].data, data)).toBe(0);
  expect(echo.messages[0].header.frame_id).toMatch(/^camera via \d+$/);
  expect(map.messages).toEqual([{ data: "the map" }]);
  const { success, message } = await client.call(SetBool.request.create({ data: false }));
  expect(success).toBe(true);
  expect(message).toMatch(/^from \d+$/);
  expect(nodeOn(host).nodeNames()).toContainEqual({ name: "echo", namespace: "/there" });
}

const isThere = (host: GraphHost): boolean =>
  nodeOn(host)
    .nodeNames()
    .some(({ name }) => name === "echo");

describe("a child process", () => {
  it("is a part of its parent's graph until it is killed", async () => {
    const host = open();
    const child = start(LINK_TO_PARENT);
    await host.linkChild(child).opened;
    await visit(host);
    child.kill("SIGKILL");
    await until(() => !isThere(host));
  });

  it("ends by itself when its host is shut down", async () => {
    const host = open();
    const child = start(LINK_TO_PARENT);
    const link = host.linkChild(child);
    const { publisher } = talk(host, Bool, "/end");
    await until(() => publisher.subscriptionCount === 1);
    const exit = once(child, "exit");
    publisher.publish({ data: true });
    await link.closed;
    expect(isThere(host)).toBe(false);
    expect(await exit).toEqual([0, null]);
  });

  it("meets its siblings through its parent", async () => {
    const host = open();
    const other = open();
    const child = start(LINK_TO_PARENT);
    await Promise.all([
      host.linkChild(child).opened,
      other.connect(await host.listen()).then((link) => link.opened),
    ]);
    await visit(other);
  });

  it("that hangs is noticed by its silence, and again when it goes on", async () => {
    const host = open();
    const child = start(LINK_TO_PARENT);
    await host.linkChild(child).opened;
    const { events, subscription } = listen(host, Bool, "/alive", { livelinessLease: 1 });
    const last = () => ofType(events, "liveliness_changed").at(-1);
    await until(() => last()?.alive === 1);
    child.kill("SIGSTOP");
    await until(() => last()?.notAlive === 1);
    expect(subscription.publisherCount).toBe(1);
    child.kill("SIGCONT");
    await until(() => last()?.alive === 1);
    await visit(host);
  });

  it("is told of when its channel carries JSON only, or when it has none", async () => {
    const host = open();
    const child = start(LINK_TO_PARENT, "json");
    const warned = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
    await expect(host.linkChild(child).opened).rejects.toThrow('serialization: "advanced"');
    expect(warned.mock.calls.filter(([warning]) => String(warning).startsWith("ROS graph"))).toHaveLength(1);
    warned.mockRestore();
    expect(() => host.linkChild({} as ChildProcess)).toThrow("the child process has no IPC channel");
  });
});

describe("a worker thread", () => {
  it("is a part of the graph until it ends", async () => {
    const host = open();
    const worker = new Worker(ECHO, { env: { ...process.env, ROS_DOMAIN_ID: "9", ...LINK_TO_PARENT } });
    ends.push(() => worker.terminate());
    await host.linkWorker(worker).opened;
    await visit(host);
    await worker.terminate();
    await until(() => !isThere(host));
  });
});

describe("over TCP", () => {
  const secret = "a secret of 16 characters or more";

  it("a process is a part of the graph until it is killed", async () => {
    const host = open();
    const address = await host.listen("tcp://127.0.0.1:*", { secret });
    const child = start({ MLSYS_ROS_LINK: address, MLSYS_ROS_SECRET: secret });
    await visit(host);
    child.kill("SIGKILL");
    await until(() => !isThere(host));
  });

  it("a link comes back when the other side listens again", async () => {
    const [first, far] = [open(), open()];
    const address = await first.listen();
    await (await far.connect(address)).opened;
    const { publisher } = talk(far, String_, "/topic");
    listen(first, String_, "/topic");
    await until(() => publisher.subscriptionCount === 1);
    await first.shutdown();
    await until(() => publisher.subscriptionCount === 0);
    const second = open();
    for (let isBound = false; !isBound; )
      isBound = await second.listen(address).then(
        () => true,
        () => new Promise((resolve) => setImmediate(resolve, false)), // the first one's port is being given back
      );
    const { messages } = listen(second, String_, "/topic");
    await until(() => publisher.subscriptionCount === 1);
    publisher.publish({ data: "hello" });
    await until(() => messages.length === 1);
  });

  it("tells of a secret that is another one, and lets nobody in without it", async () => {
    const host = open();
    const address = await host.listen("tcp://127.0.0.1:*", { secret });
    const stranger = await open().connect(address, { secret: "another secret of 16 characters" });
    await expect(stranger.opened).rejects.toThrow("it has another secret");
    const unarmed = await open().connect(address);
    const friend = await open().connect(address, { secret });
    await friend.opened;
    const state = await Promise.race([unarmed.opened.then(() => "in"), friend.opened.then(() => "out")]);
    expect(state).toBe("out");
    unarmed.close();
    const plain = await open().listen();
    const armed = await open().connect(plain, { secret });
    await expect(armed.opened).rejects.toThrow("or none");
  });

  it("links over a Unix socket", async () => {
    const directory = await mkdtemp(join(tmpdir(), "mlsys-ros-"));
    ends.push(() => rm(directory, { recursive: true }));
    const [host, far] = [open(), open()];
    const address = await host.listen(`ipc://${join(directory, "graph")}`);
    await (await far.connect(address)).opened;
  });

  it("refuses addresses that others reach, without a secret", async () => {
    const host = open();
    await expect(host.listen("tcp://0.0.0.0:*")).rejects.toThrow("give a secret");
    await expect(host.connect("http://here")).rejects.toThrow("an address is tcp://HOST:PORT");
    await expect(host.listen("tcp://127.0.0.1:*", { secret: "short" })).rejects.toThrow(
      "at least 16 characters",
    );
    const address = await host.listen();
    await expect(host.listen(address)).rejects.toThrow(`can't listen at ${address}`);
  });
});
