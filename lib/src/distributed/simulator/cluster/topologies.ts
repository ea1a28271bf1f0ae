/** Topologies: how devices hang together. Each is a function that lays the links out and knows the ways. */
import { ValueError } from "../../../core/errors.js";
import { checkDevice, count, type LinkKind, Links, type Network } from "./network.js";

/**
 * Every device on one switch that is never the bottleneck: a port up and a port down each.
 * @example crossbar(2, LINKS.nvlink3).route(0, 1) // [0, 3]
 */
export function crossbar(devices: number, port: LinkKind, { oneHost = true } = {}): Network {
  count(devices, "crossbar: the number of devices");
  const links = new Links();
  const half = { ...port, latency: port.latency / 2 };
  for (let i = 0; i < devices; i++) links.pair(`device ${i}`, "switch", half);
  return {
    devices,
    links: links.all,
    hosts: Array.from({ length: devices }, (_, i) => (oneHost ? "host 0" : `host ${i}`)),
    route(from, to) {
      checkDevice(devices, from);
      checkDevice(devices, to);
      return from === to ? [] : [2 * from, 2 * to + 1];
    },
  };
}

/**
 * A torus of any number of dimensions: a ring is `[n]`, a TPU v2 pod `[16, 16]`. Routes go dimension by dimension, the
 * shorter way round. Rows of the last dimension are one host each.
 * @example torus([8, 8], LINKS.nvlink3).route(0, 63).length // 2
 */
export function torus(sizes: readonly number[], link: LinkKind): Network {
  if (sizes.length === 0) throw new ValueError("torus: needs at least one dimension");
  for (const size of sizes) count(size, "torus: a dimension");
  const devices = sizes.reduce((product, size) => product * size, 1);
  const strides = sizes.map((_, d) => sizes.slice(d + 1).reduce((product, size) => product * size, 1));
  const links = new Links();
  // numbers: device × dimensions × 2 directions, so that a route is arithmetic
  for (let i = 0; i < devices; i++)
    for (const [d, size] of sizes.entries())
      for (const step of [1, -1]) links.add(`device ${i} → ${neighbour(i, strides[d], size, step)}`, link);
  const last = sizes[sizes.length - 1];
  return {
    devices,
    links: links.all,
    hosts: Array.from({ length: devices }, (_, i) => `host ${Math.floor(i / last)}`),
    route(from, to) {
      checkDevice(devices, from);
      checkDevice(devices, to);
      const way: number[] = [];
      let at = from;
      for (const [d, size] of sizes.entries()) {
        const want = Math.floor(to / strides[d]) % size;
        const have = Math.floor(at / strides[d]) % size;
        const forward = (want - have + size) % size;
        const step = forward <= size - forward ? 1 : -1;
        for (let hop = step === 1 ? forward : size - forward; hop > 0; hop--) {
          way.push((at * sizes.length + d) * 2 + (step === 1 ? 0 : 1));
          at = neighbour(at, strides[d], size, step);
        }
      }
      return way;
    },
  };
}

function neighbour(device: number, stride: number, size: number, step: number): number {
  const place = Math.floor(device / stride) % size;
  return device + (((place + step + size) % size) - place) * stride;
}

export interface ServersOptions {
  readonly servers: number;
  /** Accelerators of a server: 2 to 16. */
  readonly perServer: number;
  /** From each device to its server's switch: NVLink, PCIe. */
  readonly inside: LinkKind;
  /** A network card. */
  readonly card: LinkKind;
  /** Cards of a server; devices share them evenly. Default one each. */
  readonly cards?: number;
  /** Servers under a top-of-rack switch; default all. */
  readonly perRack?: number;
  /** Bandwidth of a rack's cards to that of its uplink to the spine: 1 (none) to 16. Default 1. */
  readonly oversubscription?: number;
}

/**
 * Servers of accelerators in racks: device – server's switch – card – top of rack – spine. (Book, chapter 9: the cluster.)
 * Device numbers go server by server, rack by rack. The switches themselves are never the bottleneck.
 * @example
 * // two servers of a rack with 10 Gb/s each send into an uplink of 10 Gb/s: a gigabyte each takes 1.6 s, not 0.8
 * const card = { bandwidth: 10e9 / 8, latency: 0 };
 * const network = servers({ servers: 4, perServer: 1, perRack: 2, oversubscription: 2, card, inside: LINKS.pcie4 });
 * roundSeconds(network, [{ from: 0, to: 2, bytes: 1e9 }, { from: 1, to: 3, bytes: 1e9 }]) // 1.6
 */
export function servers(options: ServersOptions): Network {
  const {
    perServer,
    inside,
    card,
    cards = perServer,
    perRack = options.servers,
    oversubscription = 1,
  } = options;
  count(options.servers, "servers: the number of servers");
  count(perServer, "servers: the number of devices of a server");
  count(cards, "servers: the number of cards of a server");
  count(perRack, "servers: the number of servers of a rack");
  if (!(oversubscription >= 1))
    throw new ValueError(`servers: oversubscription is 1 or more, got ${oversubscription}`);
  const devices = options.servers * perServer;
  const links = new Links();
  const bus = Array.from({ length: devices }, (_, i) =>
    links.pair(`device ${i}`, `switch of server ${Math.floor(i / perServer)}`, {
      ...inside,
      latency: inside.latency / 2,
    }),
  );
  const half = { ...card, latency: card.latency / 2 };
  const nics = Array.from({ length: options.servers * cards }, (_, i) =>
    links.pair(
      `card ${i % cards} of server ${Math.floor(i / cards)}`,
      `rack ${Math.floor(i / cards / perRack)}`,
      half,
    ),
  );
  const racks = Array.from({ length: Math.ceil(options.servers / perRack) }, (_, rack) => {
    const inRack = Math.min(perRack, options.servers - rack * perRack) * cards;
    return links.pair(`rack ${rack}`, "spine", half, inRack / oversubscription);
  });
  const serverOf = (device: number): number => Math.floor(device / perServer);
  const cardOf = (device: number): number =>
    serverOf(device) * cards + Math.floor(((device % perServer) * cards) / perServer);
  return {
    devices,
    links: links.all,
    hosts: Array.from({ length: devices }, (_, i) => `server ${serverOf(i)}`),
    route(from, to) {
      checkDevice(devices, from);
      checkDevice(devices, to);
      if (from === to) return [];
      const [here, there] = [serverOf(from), serverOf(to)];
      if (here === there) return [bus[from][0], bus[to][1]];
      const [up, down] = [nics[cardOf(from)][0], nics[cardOf(to)][1]];
      const [rack, other] = [Math.floor(here / perRack), Math.floor(there / perRack)];
      const across = rack === other ? [] : [racks[rack][0], racks[other][1]];
      return [bus[from][0], up, ...across, down, bus[to][1]];
    },
  };
}

/**
 * A k-ary fat tree of k³/4 devices: k pods of k/2 edge and k/2 aggregation switches, (k/2)² core switches, all links
 * alike; full bisection. (Al-Fares, Loukissas, Vahdat 2008.) The way up is chosen by the destination, as there.
 * @example fatTree(4, LINKS.ethernet10).devices // 16
 */
export function fatTree(k: number, link: LinkKind): Network {
  if (!Number.isInteger(k) || k < 2 || k % 2 !== 0)
    throw new ValueError(`fatTree: k is even and at least 2, got ${k}`);
  const half = k / 2;
  const devices = (k * k * k) / 4;
  const links = new Links();
  const edgeOf = (device: number): number => Math.floor(device / half);
  const podOf = (device: number): number => Math.floor(device / (half * half));
  const host = Array.from({ length: devices }, (_, i) =>
    links.pair(`device ${i}`, `edge ${edgeOf(i)}`, link),
  );
  const edge = Array.from({ length: k * half }, (_, e) =>
    Array.from({ length: half }, (_, a) =>
      links.pair(`edge ${e}`, `aggregation ${Math.floor(e / half) * half + a}`, link),
    ),
  );
  const core = Array.from({ length: k * half }, (_, a) =>
    Array.from({ length: half }, (_, c) =>
      links.pair(`aggregation ${a}`, `core ${(a % half) * half + c}`, link),
    ),
  );
  return {
    devices,
    links: links.all,
    hosts: Array.from({ length: devices }, (_, i) => `device ${i}`),
    route(from, to) {
      checkDevice(devices, from);
      checkDevice(devices, to);
      if (from === to) return [];
      const [here, there] = [edgeOf(from), edgeOf(to)];
      if (here === there) return [host[from][0], host[to][1]];
      const a = to % half; // aggregation switch of the pod
      const inside = podOf(from) === podOf(to);
      const c = Math.floor(to / half) % half; // core switch of those above it
      const up = podOf(from) * half + a;
      const down = podOf(to) * half + a;
      const over = inside ? [] : [core[up][c][0], core[down][c][1]];
      return [host[from][0], edge[here][a][0], ...over, edge[there][a][1], host[to][1]];
    },
  };
}
