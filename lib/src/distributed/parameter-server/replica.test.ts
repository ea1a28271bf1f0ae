/** Copies, coordinator and clients in a made-up network: messages in any order, connections that break, servers that die. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { WordStream } from "../../core/random.js";
import { PushChannel } from "./channel.js";
import { Cluster } from "./cluster.js";
import { checkJob, type Replication } from "./job.js";
import { Layout } from "./layout.js";
import { type Effects, type PullRequest, Replica } from "./replica.js";
import type { PushOp } from "./shard.js";
import type { View } from "./view.js";
import type { Message } from "./wire.js";

const CLIENTS = 3;

interface Node {
  readonly id: string;
  readonly replica: Replica;
  alive: boolean;
  lease: boolean;
}

class World {
  readonly cluster = new Cluster();
  readonly layout: Layout;
  readonly nodes = new Map<string, Node>();
  /** First in, first out, each; delivered in any order between them. */
  readonly queues = new Map<string, (() => void)[]>();
  readonly clients: Client[] = [];
  private generation = 0;
  private readonly connections = new Map<string, number>();
  private servers = 0;

  constructor(replication: Replication, servers: number) {
    const job = checkJob({
      tensors: [{ kind: "dense", name: "x", shape: [CLIENTS] }],
      optimizer: { rule: "SGD", lr: 1 },
      partitions: 1,
      consistency: { mode: "async" },
      replication,
    });
    this.layout = new Layout(job);
    for (let i = 0; i < servers; i++) this.addServer();
    this.cluster.define(job, servers);
    for (let i = 0; i < CLIENTS; i++) this.clients.push(new Client(this, i));
    this.announce();
  }

  put(queue: string, deliver: () => void): void {
    const list = this.queues.get(queue) ?? [];
    this.queues.set(queue, list);
    list.push(deliver);
  }

  addServer(): void {
    const id = `server ${this.servers++}`;
    const effects: Effects = {
      send: (to, message, frames = []) => this.send(id, to, message, frames),
      reply: (route, message, frames = []) =>
        (route as (m: Message, f: readonly Uint8Array[]) => void)(message, frames),
      holdsLease: () => node.lease,
      filled: (p, e, learner) =>
        this.put(`${id} to coordinator`, () => {
          this.cluster.filled(p, e, learner);
          this.announce();
        }),
    };
    const node: Node = { id, replica: new Replica(id, 0, this.layout, effects), alive: true, lease: true };
    this.nodes.set(id, node);
    this.cluster.addServer(id, id);
  }

  /** Frames travel as bytes of their own. */
  private send(from: string, to: string, message: Message, frames: readonly Uint8Array[]): void {
    const key = `${from} > ${to}`;
    const generation = this.connections.get(key) ?? 0;
    const text = JSON.stringify(message);
    const copies = frames.map((frame) => frame.slice());
    // the way back of this connection: one value per connection, as a socket's route
    const route = this.routeOf(from, to, generation);
    this.put(key, () => {
      if ((this.connections.get(key) ?? 0) !== generation) return;
      const node = this.nodes.get(to);
      if (node?.alive) node.replica.fromAbove(route, JSON.parse(text) as Message, copies);
    });
  }

  private readonly routes = new Map<string, unknown>();
  private routeOf(from: string, to: string, generation: number): unknown {
    const id = `${from} > ${to} ${generation}`;
    const known = this.routes.get(id);
    if (known) return known;
    const route = (message: Message): void => {
      const text = JSON.stringify(message);
      this.put(`${from} < ${to}`, () => {
        if ((this.connections.get(`${from} > ${to}`) ?? 0) !== generation) return;
        const node = this.nodes.get(from);
        if (node?.alive) node.replica.fromBelow(to, JSON.parse(text) as Message);
      });
    };
    this.routes.set(id, route);
    return route;
  }

  /** A connection between servers breaks, with what is under way, and comes back. */
  break(from: string, to: string): void {
    this.connections.set(`${from} > ${to}`, ++this.generation);
    this.put(`${from} > ${to}`, () => {
      const node = this.nodes.get(from);
      if (node?.alive) node.replica.connected(to);
    });
  }

  announce(): void {
    const view = this.cluster.view;
    for (const node of this.nodes.values())
      this.put(`coordinator to ${node.id}`, () => {
        if (!node.alive) return;
        if (view.parts[0]) node.replica.adopt(view.parts[0], view.workers);
        if (view.servers[node.id]) node.lease = true;
      });
    for (const client of this.clients)
      this.put(`coordinator to client ${client.number}`, () => client.adopt(view));
    for (const { server, p, e } of this.cluster.seals)
      this.put(`coordinator to ${server}`, () => {
        const node = this.nodes.get(server) as Node;
        if (!node.alive) return;
        const position = node.replica.seal(e);
        this.put(`${server} to coordinator`, () => {
          this.cluster.sealed(server, p, e, position);
          this.announce();
        });
      });
  }

  /** A server dies, or only seems to: its lease ends before others are told. */
  lose(id: string, dies: boolean): void {
    const node = this.nodes.get(id) as Node;
    node.lease = false;
    if (dies) node.alive = false;
    this.cluster.loseServer(id);
    this.announce();
  }

  get part() {
    return this.cluster.view.parts[0];
  }

  /** True if no copy is being filled, no leader looked for, and nothing is under way. */
  get calm(): boolean {
    return (
      this.part.l.length === 0 &&
      this.cluster.seals.length === 0 &&
      [...this.queues.values()].every((q) => q.length === 0)
    );
  }

  /** Delivers one message of a queue. */
  deliver(pick: (count: number) => number): boolean {
    const full = [...this.queues.values()].filter((queue) => queue.length > 0);
    if (full.length === 0) return false;
    (full[pick(full.length)].shift() as () => void)();
    return true;
  }

  /** Until nothing is under way and all pushes have an answer. */
  drain(pick: (count: number) => number): void {
    for (let quiet = 0; quiet < 3; ) {
      let steps = 0;
      while (this.deliver(pick)) if (++steps > 200_000) throw new Error("it never ends");
      for (const client of this.clients) client.retry();
      quiet = steps === 0 ? quiet + 1 : 0;
      if (quiet > 0 && this.clients.every((client) => client.channel.length === 0)) return;
    }
    throw new Error(`pushes without an answer: ${JSON.stringify(this.cluster.view)}`);
  }
}

class Client {
  view: View | null = null;
  sent = 0;
  acked = 0;
  readonly channel: PushChannel;
  readonly problems: string[] = [];
  private readonly pulls = new Map<number, { least: number[]; any: boolean }>();
  private readonly requests = { next: 1 };
  private refused = false;

  constructor(
    private readonly world: World,
    readonly number: number,
  ) {
    this.channel = new PushChannel(`client ${number}`, this.requests, (i, op, frames) => {
      const head = this.part?.m[0];
      return (
        head !== undefined &&
        this.ask(head, (node, reply) => node.replica.push(reply, i, this.part?.e ?? 0, op as PushOp, frames))
      );
    });
  }

  private get part() {
    return this.view?.parts[0];
  }

  adopt(view: View): void {
    if (view.n <= (this.view?.n ?? 0)) return;
    const before = this.part?.e;
    this.view = view;
    if (this.part?.e !== before) this.channel.again();
  }

  push(): void {
    this.sent++;
    const gradient = new Float32Array(CLIENTS);
    gradient[this.number] = -1;
    const frame = new Uint8Array(gradient.buffer);
    void this.channel
      .push({ kind: "push", w: 0, k: 0, b: 0, parts: [{ k: "x", s: 0 }] }, [frame])
      .catch((error: Error) => this.problems.push(error.message));
  }

  pull(): void {
    const { part } = this;
    if (!part || part.m.length === 0) return;
    const chain = this.world.layout.job.replication.mode === "chain";
    const reader = part.m[chain ? part.m.length - 1 : 0];
    const i = this.requests.next++;
    this.pulls.set(i, { least: this.world.clients.map(({ acked }) => acked), any: false });
    const request: PullRequest = { i, e: part.e, k: 0, parts: [{ k: "x", s: 0 }] };
    this.ask(reader, (node, reply) => node.replica.pull(reply, request, []));
  }

  retry(): void {
    if (this.refused) this.channel.again();
    this.refused = false;
  }

  private ask(
    server: string,
    act: (node: Node, reply: (m: Message, f: readonly Uint8Array[]) => void) => void,
  ): boolean {
    this.world.put(`client ${this.number} > ${server}`, () => {
      const node = this.world.nodes.get(server) as Node;
      const answer = (message: Message, frames: readonly Uint8Array[]): void =>
        this.world.put(`client ${this.number} < ${server}`, () => this.hear(message, frames));
      if (node.alive) act(node, answer);
    });
    return true;
  }

  private hear(message: Message, frames: readonly Uint8Array[]): void {
    const i = message.i as number;
    const pull = this.pulls.get(i);
    if (pull) {
      this.pulls.delete(i);
      if (message.t !== "ok") return;
      const values = new Float32Array(frames[0].slice().buffer);
      this.world.clients.forEach((client, k) => {
        if (values[k] < pull.least[k])
          this.problems.push(`it read ${values[k]} of ${pull.least[k]} acknowledged`);
        if (values[k] > client.sent)
          this.problems.push(`it read ${values[k]} of ${client.sent} that were sent`);
      });
    } else if (message.t === "ok") {
      if (this.channel.ok(i, message as never)) this.acked++;
    } else if (message.why === "gap") this.channel.gap(i, message.n as number);
    else if (message.why === "bad") this.problems.push(String(message.text));
    else this.refused = true;
  }
}

/** Runs a world for some steps. @returns it, drained */
function history(
  replication: Replication,
  seed: number,
  steps: number,
  mayKill: (world: World, id: string) => boolean,
): World {
  const words = new WordStream([seed, 9]);
  const pick = (count: number): number => words.below(count);
  const world = new World(replication, 4);
  let losses = 0;
  for (let step = 0; step < steps; step++) {
    const dice = pick(100);
    const client = world.clients[pick(CLIENTS)];
    if (dice < 12) client.push();
    else if (dice < 18) client.pull();
    else if (dice < 22) client.retry();
    else if (dice < 25 && world.part) {
      const members = [...world.part.m, ...world.part.l];
      const [a, b] = [members[pick(members.length)], members[pick(members.length)]];
      if (a && a !== b) world.break(a, b);
    } else if (dice < 27 && world.part && losses < 8) {
      const holders = [...world.part.m, ...world.part.l];
      const victim = holders[pick(holders.length)];
      if (victim && mayKill(world, victim)) {
        losses++;
        world.lose(victim, pick(2) === 0);
        if (pick(2) === 0) world.addServer();
        world.announce();
      }
    } else world.deliver(pick);
  }
  world.drain(pick);
  return world;
}

function expectWhole(world: World): void {
  expect(world.clients.flatMap(({ problems }) => problems)).toEqual([]);
  const sent = world.clients.map((client) => client.sent);
  expect(world.clients.map(({ acked }) => acked)).toEqual(sent);
  expect(world.clients.map(({ channel }) => channel.lost)).toEqual(sent.map(() => 0));
  for (const id of world.part.m) {
    const shard = (world.nodes.get(id) as Node).replica.shard;
    expect([...(shard?.read([{ k: "x", s: 0 }], [])[0] ?? [])], `${id} applied each push once`).toEqual(sent);
  }
}

const survives = (world: World, id: string): boolean => world.part.m.some((other) => other !== id);

describe("copies of a partition", () => {
  it("in a chain lose nothing while one of them lives, apply each push once, and reads see all that was acknowledged", () => {
    let changes = 0;
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 50, max: 900 }), (seed, steps) => {
        const world = history({ mode: "chain", copies: 3 }, seed, steps, survives);
        expectWhole(world);
        changes += world.part.e - 1;
      }),
      { numRuns: 40 },
    );
    expect(changes, "the schedules change chains").toBeGreaterThan(40);
  });

  it("with a leader and all followers acknowledging lose nothing while one of them lives", () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 50, max: 900 }), (seed, steps) => {
        expectWhole(history({ mode: "leader", copies: 3, acknowledgements: 2 }, seed, steps, survives));
      }),
      { numRuns: 40 },
    );
  });

  it("with one follower acknowledging survive one loss at a time", () => {
    const calm = (world: World, id: string): boolean => world.calm && survives(world, id);
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 50, max: 900 }), (seed, steps) => {
        expectWhole(history({ mode: "leader", copies: 3, acknowledgements: 1 }, seed, steps, calm));
      }),
      { numRuns: 25 },
    );
  });

  it("with asynchronous followers agree in the end, apply nothing twice, and say what they lost", () => {
    let lost = 0;
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 50, max: 900 }), (seed, steps) => {
        const world = history({ mode: "leader", copies: 3, acknowledgements: 0 }, seed, steps, survives);
        const read = (id: string) => [
          ...((world.nodes.get(id) as Node).replica.shard?.read([{ k: "x", s: 0 }], [])[0] ?? []),
        ];
        const [first, ...others] = world.part.m.map(read);
        for (const other of others) expect(other).toEqual(first);
        world.clients.forEach((client, k) => {
          expect(client.acked).toBe(client.sent);
          expect(first[k]).toBeLessThanOrEqual(client.sent);
          lost += client.sent - first[k];
        });
      }),
      { numRuns: 40 },
    );
    expect(lost, "asynchronous replication does lose acknowledged pushes").toBeGreaterThan(0);
  });
});
