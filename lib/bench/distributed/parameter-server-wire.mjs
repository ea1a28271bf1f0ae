/**
 * Which wire the parameter server should speak: its real messages (a push of 4 KB or 4 MB that is acknowledged by a few
 * bytes, and a pull that answers with as much) over gRPC (@grpc/grpc-js, unary, bytes as they are) and over ZeroMQ
 * (router and dealer). Server and clients are processes of their own.
 * `node lib/bench/distributed/parameter-server-wire.mjs [--json]`
 */
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import * as grpc from "@grpc/grpc-js";

const SIZES = { "4 KB": 4096, "4 MB": 4 * 2 ** 20 };
const HEADER = Buffer.from('{"v":1,"t":"push","i":1,"p":0,"e":1,"c":"0123456789abcdef","n":1,"k":1}');
const same = (x) => x;
const METHODS = {};
for (const name of ["Push", "Pull"])
  METHODS[name] = {
    path: `/mlsys.ParameterServer/${name}`,
    requestStream: false,
    responseStream: false,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  };
const LIMITS = { "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 };

const SERVERS = {
  async grpc() {
    const server = new grpc.Server(LIMITS);
    const big = Object.fromEntries(Object.values(SIZES).map((size) => [size, Buffer.alloc(size, 1)]));
    server.addService(METHODS, {
      Push: (call, reply) => reply(null, call.request.subarray(0, 8)),
      Pull: (call, reply) => reply(null, big[call.request.readUInt32LE(0)]),
    });
    const port = await new Promise((resolve, reject) =>
      server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, at) =>
        error ? reject(error) : resolve(at),
      ),
    );
    return `127.0.0.1:${port}`;
  },
  async zeromq() {
    const { Router } = await import("zeromq");
    const router = new Router({ linger: 0, sendHighWaterMark: 0, receiveHighWaterMark: 0 });
    await router.bind("tcp://127.0.0.1:*");
    const big = Object.fromEntries(Object.values(SIZES).map((size) => [size, Buffer.alloc(size, 1)]));
    void (async () => {
      for await (const [route, header, body] of router) {
        const size = header.length === 4 ? header.readUInt32LE(0) : 0;
        await router.send(size ? [route, HEADER, big[size]] : [route, body.subarray(0, 8)]);
      }
    })();
    return router.lastEndpoint;
  },
};

const CLIENTS = {
  async grpc(address) {
    const client = new grpc.Client(address, grpc.credentials.createInsecure(), LIMITS);
    const call = (method, request) =>
      new Promise((resolve, reject) =>
        client.makeUnaryRequest(METHODS[method].path, same, same, request, (error, value) =>
          error ? reject(error) : resolve(value.length),
        ),
      );
    return { push: (body) => call("Push", body), pull: (size) => call("Pull", word(size)) };
  },
  async zeromq(address) {
    const { Dealer } = await import("zeromq");
    const dealer = new Dealer({ linger: 0, sendHighWaterMark: 0, receiveHighWaterMark: 0 });
    dealer.connect(address);
    const call = async (frames) => {
      await dealer.send(frames);
      return (await dealer.receive()).at(-1).length;
    };
    return { push: (body) => call([HEADER, body]), pull: (size) => call([word(size)]) };
  },
};

const word = (value) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};

async function clientWork({ wire, address, kind, size, count }) {
  const client = await CLIENTS[wire](address);
  const body = Buffer.alloc(size, 1);
  const once = kind === "push" ? () => client.push(body) : () => client.pull(size);
  for (let i = 0; i < Math.max(3, count / 10); i++) await once();
  process.send("ready");
  await new Promise((resolve) => process.once("message", resolve));
  const start = performance.now();
  const took = [];
  for (let i = 0; i < count; i++) {
    const from = performance.now();
    await once();
    took.push(performance.now() - from);
  }
  process.send({ ms: performance.now() - start, took });
}

const next = (child) => new Promise((resolve) => child.once("message", resolve));

export async function measureWire(repeats = 3) {
  const rows = [];
  for (const [label, size] of Object.entries(SIZES))
    for (const clients of [1, 4])
      for (const kind of ["push", "pull"]) {
        const row = { message: `${kind} ${label}`, clients };
        const count = Math.round((size > 1e6 ? 60 : 2000) / clients);
        for (const wire of Object.keys(SERVERS)) {
          const server = fork(fileURLToPath(import.meta.url), ["server", wire]);
          const address = await next(server);
          const rates = [];
          let latency = [];
          for (let repeat = 0; repeat < repeats; repeat++) {
            const job = JSON.stringify({ wire, address, kind, size, count });
            const children = Array.from({ length: clients }, () =>
              fork(fileURLToPath(import.meta.url), ["client", job]),
            );
            await Promise.all(children.map(next));
            const results = Promise.all(children.map(next));
            for (const child of children) child.send("go");
            const done = await results;
            for (const child of children) child.kill();
            rates.push((clients * count) / (Math.max(...done.map(({ ms }) => ms)) / 1000));
            latency = latency.concat(done.flatMap(({ took }) => took));
          }
          server.kill();
          latency.sort((a, b) => a - b);
          rates.sort((a, b) => a - b);
          const rate = rates[Math.floor(rates.length / 2)];
          row[wire] = {
            perSecond: Math.round(rate),
            mbPerSecond: Math.round((rate * size) / 1e6),
            p50us: Math.round(latency[Math.floor(latency.length / 2)] * 1000),
          };
        }
        rows.push(row);
      }
  return rows;
}

const [role, argument] = process.argv.slice(2);
if (role === "server") process.send(await SERVERS[argument]());
else if (role === "client") await clientWork(JSON.parse(argument));
else if (process.argv[1] === fileURLToPath(import.meta.url))
  for (const row of await measureWire()) console.log(JSON.stringify(row));
