/** Who knows whom, and until when. */
import { afterEach, describe, expect, it, vi } from "vitest";
import {
  fresh,
  LATCHED,
  listen,
  nodeOn,
  ofType,
  qos,
  range,
  String_,
  talk,
  until,
} from "../../../../../test/robotics/ros/harness.js";
import { type WireEnd, wire } from "../../../../../test/robotics/ros/wire.js";
import { srv } from "../../interfaces/registry.js";
import { type GraphHost, graphHost, VirtualClock } from "../index.js";
import { VERSION } from "./frames.js";

const Trigger = srv("std_srvs/srv/Trigger");

const warned = vi.spyOn(process, "emitWarning").mockImplementation(() => {});

const hosts: GraphHost[] = [];
afterEach(async () => {
  warned.mockClear();
  await Promise.all(hosts.splice(0).map((host) => host.shutdown()));
});

function open(options: { clock?: VirtualClock; domain?: number; lease?: number } = {}): GraphHost {
  const host = graphHost({ network: fresh("discovery"), announceInterval: 1, lease: 5, ...options });
  hosts.push(host);
  return host;
}

async function linked(a: GraphHost, b: GraphHost): Promise<[WireEnd, WireEnd]> {
  const [left, right] = wire();
  await Promise.all([a.link(left.port).opened, b.link(right.port).opened]);
  return [left, right];
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Second by second, so that what is said on the way is heard. */
async function pass(clock: VirtualClock, seconds: number, step = 1): Promise<void> {
  for (let t = 0; t < seconds; t += step) {
    clock.advance(step);
    await settled();
  }
}

describe("a participant", () => {
  it("is announced when it starts, periodically, and when it ends", async () => {
    const clock = new VirtualClock();
    const [a, b] = [open({ clock }), open({ clock })];
    const [left] = await linked(a, b);
    expect(left.count("here")).toBe(1);
    await pass(clock, 10);
    expect(left.count("beat")).toBe(10);
    const node = nodeOn(a);
    await until(() =>
      nodeOn(b)
        .nodeNames()
        .some(({ name }) => name === node.name),
    );
    await a.shutdown();
    expect(left.count("bye")).toBe(1);
    await until(
      () =>
        !nodeOn(b)
          .nodeNames()
          .some(({ name }) => name === node.name),
    );
  });

  it("is gone when it isn't heard of for its lease, and back when it is", async () => {
    const clock = new VirtualClock();
    const [a, b] = [open({ clock }), open({ clock })];
    const [left] = await linked(a, b);
    const { publisher, node } = talk(a, String_, "/topic");
    const { subscription, messages } = listen(b, String_, "/topic");
    await until(() => subscription.publisherCount === 1 && publisher.subscriptionCount === 1);
    left.isCut = true;
    await pass(clock, 5);
    expect(subscription.publisherCount).toBe(1);
    await pass(clock, 2);
    expect(subscription.publisherCount).toBe(0);
    expect(
      nodeOn(b)
        .nodeNames()
        .map(({ name }) => name),
    ).not.toContain(node.name);
    expect(publisher.subscriptionCount).toBe(1); // it still hears the other one
    publisher.publish(String_.create({ data: "nobody hears" }));
    left.isCut = false;
    await pass(clock, 2);
    expect(subscription.publisherCount).toBe(1);
    publisher.publish(String_.create({ data: "back" }));
    await until(() => messages.length > 0);
    expect(messages).toEqual([{ data: "back" }]);
  });

  it("gives late joiners its history again after it was taken for gone", async () => {
    const clock = new VirtualClock();
    const [a, b] = [open({ clock }), open({ clock })];
    const [left] = await linked(a, b);
    const { publisher } = talk(a, String_, "/map", LATCHED);
    const { messages, subscription } = listen(b, String_, "/map", LATCHED);
    publisher.publish(String_.create({ data: "map" }));
    await until(() => messages.length === 1);
    left.isCut = true;
    await pass(clock, 8);
    expect(subscription.publisherCount).toBe(0);
    publisher.publish(String_.create({ data: "newer map" }));
    left.isCut = false;
    await pass(clock, 2);
    await until(() => messages.at(-1)?.data === "newer map");
    publisher.publish(String_.create({ data: "newest map" }));
    await until(() => messages.at(-1)?.data === "newest map");
  });

  it("isn't taken for gone when it was this process that stood still", async () => {
    const clock = new VirtualClock();
    const [a, b] = [open({ clock, lease: 5 }), open({ clock, lease: 5 })];
    const [left] = await linked(a, b);
    const { publisher } = talk(a, String_, "/topic");
    const { subscription, events } = listen(b, String_, "/topic");
    await until(() => subscription.publisherCount === 1 && publisher.subscriptionCount === 1);
    left.isHeld = true;
    await pass(clock, 5.5, 0.5);
    left.release(); // what was said meanwhile is read now
    await settled();
    await pass(clock, 10);
    expect(subscription.publisherCount).toBe(1);
    expect(ofType(events, "matched")).toHaveLength(1);
  });

  it("is gone at once when its channel is closed, and its services with it", async () => {
    const [a, b] = [open(), open()];
    const [left] = await linked(a, b);
    nodeOn(a).createService(Trigger, "/trigger", { qos: qos() }, async () => Trigger.response.create());
    const client = nodeOn(b).createClient(Trigger, "/trigger", { qos: qos() });
    await until(() => client.isServiceAvailable());
    left.close();
    await until(() => !client.isServiceAvailable());
  });
});

describe("liveliness", () => {
  it("of a publisher is lost when its process is silent for its lease, long before the process is gone", async () => {
    const clock = new VirtualClock();
    const [a, b] = [open({ clock, lease: 50 }), open({ clock, lease: 50 })];
    const [left] = await linked(a, b);
    const lease = { livelinessLease: 0.3 };
    const { publisher } = talk(a, String_, "/topic", lease);
    const { events, subscription } = listen(b, String_, "/topic", lease);
    const changes = () =>
      ofType(events, "liveliness_changed").map(({ alive, notAlive }) => [alive, notAlive]);
    await until(() => publisher.subscriptionCount === 1 && changes().length === 1);
    await pass(clock, 3, 0.1);
    expect(changes()).toEqual([[1, 0]]);
    left.isCut = true;
    await pass(clock, 0.5, 0.1);
    expect(changes().slice(1)).toEqual([[0, 1]]);
    expect(subscription.publisherCount).toBe(1);
    left.isCut = false;
    await pass(clock, 0.5, 0.1);
    expect(changes().slice(2)).toEqual([[1, 0]]);
  });

  it("is lost as well behind a domain in between that goes on", async () => {
    const clock = new VirtualClock();
    const [a, middle, b] = [0, 1, 2].map(() => open({ clock, lease: 50 }));
    const [left] = await linked(a, middle);
    await linked(middle, b);
    const lease = { livelinessLease: 0.6 };
    const { publisher } = talk(a, String_, "/topic", lease);
    const { events } = listen(b, String_, "/topic", lease);
    const last = () => ofType(events, "liveliness_changed").at(-1);
    await until(() => publisher.subscriptionCount === 1 && last()?.alive === 1);
    await pass(clock, 3, 0.1);
    expect(last()).toMatchObject({ alive: 1, notAlive: 0 });
    left.isCut = true;
    await pass(clock, 2, 0.1);
    expect(last()).toMatchObject({ alive: 0, notAlive: 1 });
  });
});

describe("a link", () => {
  it("carries samples only where a reader fits", async () => {
    const [a, b] = [open(), open()];
    const [left] = await linked(a, b);
    const { publisher } = talk(a, String_, "/topic", { reliability: "best_effort" });
    const say = (): void => publisher.publish(String_.create({ data: "x" }));
    say();
    const misfit = listen(b, String_, "/topic", { reliability: "reliable" });
    const other = listen(b, String_, "/other");
    await until(() => ofType(misfit.events, "incompatible_qos").length === 1);
    say();
    expect(left.count("sample")).toBe(0);
    const fits = listen(b, String_, "/topic", { reliability: "best_effort" });
    listen(b, String_, "/topic", { reliability: "best_effort" });
    await until(() => publisher.subscriptionCount === 2);
    say();
    await until(() => fits.messages.length === 1);
    expect(left.count("sample")).toBe(1);
    expect(other.messages.length + misfit.messages.length).toBe(0);
  });

  it("carries requests to each server once, and an answer to nobody but its client", async () => {
    const [a, middle, b] = [open(), open(), open()];
    await linked(a, middle);
    const [toB, fromB] = await linked(middle, b);
    let asked = 0;
    nodeOn(b).createService(Trigger, "/trigger", { qos: qos() }, async () => {
      asked++;
      return Trigger.response.create({ success: true, message: "" });
    });
    const clients = [a, a, middle].map((host) =>
      nodeOn(host).createClient(Trigger, "/trigger", { qos: qos() }),
    );
    await until(() => clients.every((client) => client.isServiceAvailable()));
    await Promise.all(clients.map((client) => client.call(Trigger.request.create())));
    expect(asked).toBe(3);
    expect(toB.count("sample")).toBe(3);
    expect(fromB.count("sample")).toBe(3);
  });

  it("makes a tree: a second way between two domains is refused", async () => {
    const [a, b, c] = [open(), open(), open()];
    await linked(a, b);
    await linked(b, c);
    const [left, right] = wire();
    const links = [a.link(left.port), c.link(right.port)];
    await Promise.all(links.map(({ closed }) => closed));
    expect(warned).toHaveBeenCalledWith(expect.stringContaining("links make a tree"));
    const { publisher } = talk(a, String_, "/topic");
    const { messages } = listen(c, String_, "/topic", { history: "keep_all" });
    await until(() => publisher.subscriptionCount === 1);
    for (const data of range(20)) publisher.publish(String_.create({ data }));
    await until(() => messages.length >= 20);
    expect(messages.map(({ data }) => data)).toEqual(range(20));
  });

  it("replaces an older one between the same domains", async () => {
    const [a, b] = [open(), open()];
    const [left, right] = wire();
    const older = [a.link(left.port), b.link(right.port)];
    await Promise.all(older.map(({ opened }) => opened));
    left.isCut = true;
    right.isCut = true; // nobody noticed yet
    await linked(a, b);
    await Promise.all(older.map(({ closed }) => closed));
    const { publisher } = talk(a, String_, "/topic");
    const { messages } = listen(b, String_, "/topic");
    await until(() => publisher.subscriptionCount === 1);
    publisher.publish(String_.create({ data: "hello" }));
    await until(() => messages.length === 1);
  });

  it("opens when the other side comes later", async () => {
    const clock = new VirtualClock();
    const [a, b] = [open({ clock }), open({ clock })];
    const [left, right] = wire();
    const link = a.link(left.port);
    await pass(clock, 3);
    await Promise.all([link.opened, b.link(right.port).opened]);
  });

  it("refuses another domain, itself and another version", async () => {
    const refused = async (a: GraphHost, b: GraphHost, message: RegExp): Promise<void> => {
      const [left, right] = wire();
      const links = [a.link(left.port), b.link(right.port)];
      const errors = await Promise.all(links.map(({ opened }) => opened.then(() => "", String)));
      expect(errors.some((error) => message.test(error))).toBe(true);
      await Promise.all(links.map(({ closed }) => closed));
    };
    const a = open();
    await refused(a, a, /same domain of one process/);
    const [left, right] = wire();
    const link = a.link(left.port);
    const hello = { t: "hello", version: VERSION + 1, domain: 0, peer: "p", session: "s", to: null };
    right.postMessage({ "mlsys.ros": 0, frame: { ...hello, probe: Uint8Array.of(1) } });
    await expect(link.opened).rejects.toThrow(`the versions differ: ${VERSION} here, ${VERSION + 1}`);
    const other = a.link(wire()[0].port);
    other.close();
    await expect(other.opened).rejects.toThrow("the link didn't open: it was closed");
  });

  it("has its channel for itself, until it is closed", async () => {
    const a = open();
    const [left] = wire();
    const link = a.link(left.port);
    expect(() => a.link(left.port)).toThrow("domain 0 is linked over this channel already");
    open({ domain: 1 }).link(left.port);
    link.close();
    a.link(left.port);
  });

  it("tells of a channel that carries JSON only", async () => {
    const a = open();
    const [left, right] = wire();
    const link = a.link(left.port);
    const hello = {
      t: "hello",
      version: VERSION,
      domain: 0,
      peer: "p",
      session: "s",
      to: null,
      probe: { 0: 1 },
    };
    right.postMessage({ "mlsys.ros": 0, frame: hello });
    await expect(link.opened).rejects.toThrow('serialization: "advanced"');
  });

  it("is closed when it brings what makes no sense, and leaves the others alone", async () => {
    const garbage = [
      { t: "nothing" },
      { t: "constructor" },
      { t: "here" },
      { t: "here", participant: { id: "x", lease: 1, nodes: 3 } },
      { t: "endpoint", participant: "x" },
      {
        t: "here",
        participant: { id: "x", lease: 1, nodes: [], endpoints: [{ data: { id: "y", qos: {} } }] },
      },
      { t: "past", writer: "x", samples: null, reader: 1 },
      { t: "beat" },
      { t: "sample" },
      { t: "hello" },
      {},
    ];
    for (const frame of garbage) {
      const [a, b] = [open(), open()];
      const [, right] = await linked(a, b);
      const [, good] = await linked(a, open());
      right.postMessage({ "mlsys.ros": 0, frame });
      right.postMessage({ "mlsys.ros": 0, frame: null });
      right.postMessage("something else");
      await settled();
      const node = nodeOn(a);
      expect(node.nodeNames().map(({ name }) => name)).toContain(node.name);
      await until(() => good.count("here") > 0);
    }
    expect(String(warned.mock.calls[0])).toMatch(/what makes no sense: TypeError: an unknown frame nothing/);
  });
});
