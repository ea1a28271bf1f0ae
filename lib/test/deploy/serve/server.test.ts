/** The server over HTTP and gRPC: what it answers, what it refuses, and what it does when there is too much. */
import { afterEach, describe, expect, it } from "vitest";
import { library } from "../../support/built-library.js";
import { expectClose } from "../../support/close.js";
import {
  deploy,
  floats,
  Gate,
  type GrpcClient,
  grpcClient,
  inferJson,
  type ModelServer,
  metric,
  numbersIn,
  post,
  rows,
  tensor,
  until,
} from "../../support/serving.js";

const { nn, Generator } = library;

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

async function serve(...args: Parameters<typeof deploy.serve>): Promise<ModelServer> {
  const server = await deploy.serve(...args);
  open.push({ close: () => server.close({ drainMs: 0 }) });
  return server;
}

async function grpc(server: ModelServer): Promise<GrpcClient> {
  const client = await grpcClient(server.grpcUrl as string);
  open.push(client);
  return client;
}

const grpcInput = (...values: number[]) => ({
  inputs: [{ name: "x", datatype: "FP32", shape: [1, 3] }],
  raw_input_contents: [floats(...values)],
});

describe("the protocol over HTTP", () => {
  it("answers what a client asks about the server and its models", async () => {
    const server = await serve({ models: { double: new Gate(true).model() } });
    const get = async (path: string) => {
      const response = await fetch(server.url + path);
      return [response.status, await response.json()] as const;
    };
    expect(await get("/v2/health/live")).toEqual([200, { live: true }]);
    expect(await get("/v2/health/ready")).toEqual([200, { live: true, ready: true }]);
    expect(await get("/v2")).toMatchObject([
      200,
      { name: "mlsys", extensions: expect.arrayContaining(["binary_tensor_data"]) },
    ]);
    for (const path of ["/v2/models/double", "/v2/models/double/versions/1"]) {
      expect(await get(path)).toEqual([
        200,
        {
          name: "double",
          versions: ["1"],
          platform: "test_gate",
          inputs: [{ name: "x", datatype: "FP32", shape: [-1, 3] }],
          outputs: [{ name: "y", datatype: "FP32", shape: [-1, 3] }],
        },
      ]);
      expect(await get(`${path}/ready`)).toEqual([200, { name: "double", ready: true }]);
      expect(await get(`${path}/config`)).toMatchObject([
        200,
        { name: "double", max_batch_size: 32, input: [{ name: "x", data_type: "TYPE_FP32", dims: [3] }] },
      ]);
    }
    expect(await get("/v2/models/nobody")).toEqual([404, { error: 'there is no model "nobody"' }]);
    expect(await get("/v2/models/double/versions/9")).toEqual([
      404,
      { error: 'model "double" has no version "9"; loaded: 1' },
    ]);
    expect(await get("/v3")).toEqual([404, { error: "there is no GET /v3" }]);
  });

  it("infers, with data as JSON and as binary data", async () => {
    const server = await serve({ models: { double: new Gate(true).model() } });
    const url = `${server.url}/v2/models/double/infer`;
    const plain = await post(url, inferJson(1, { id: "seven" }), { "x-request-id": "trace-1" });
    expect(plain.headers.get("x-request-id")).toBe("trace-1");
    expect(await plain.json()).toEqual({
      ...{ model_name: "double", model_version: "1", id: "seven" },
      outputs: [{ name: "y", datatype: "FP32", shape: [1, 3], data: [2, 4, 6] }],
    });
    const json = JSON.stringify({
      inputs: [{ name: "x", datatype: "FP32", shape: [1, 3], parameters: { binary_data_size: 12 } }],
      outputs: [{ name: "y", parameters: { binary_data: true } }],
    });
    const binary = await post(
      `${server.url}/v2/models/double/versions/1/infer`,
      Buffer.concat([Buffer.from(json), floats(5, 6, 7)]),
      {
        "inference-header-content-length": String(json.length),
      },
    );
    const length = Number(binary.headers.get("inference-header-content-length"));
    const body = new Uint8Array(await binary.arrayBuffer());
    expect(JSON.parse(Buffer.from(body.subarray(0, length)).toString())).toEqual({
      ...{ model_name: "double", model_version: "1" },
      outputs: [{ name: "y", datatype: "FP32", shape: [1, 3], parameters: { binary_data_size: 12 } }],
    });
    expect(numbersIn(body.subarray(length))).toEqual([10, 12, 14]);
  });

  it("refuses what does not fit the model, each with one clear error", async () => {
    const server = await serve({
      models: { double: new Gate(true).model({ batching: { maxBatch: 4 } }) },
      maxBody: 4096,
    });
    const x = { name: "x", datatype: "FP32", shape: [1, 3], data: [1, 2, 3] };
    const cases: [unknown, number, RegExp][] = [
      [{ inputs: [] }, 400, /input "x" is missing/],
      [{ inputs: [x, x] }, 400, /input "x" is given twice/],
      [{ inputs: [{ ...x, name: "z" }] }, 400, /has no input "z"; it has "x"/],
      [{ inputs: [x], outputs: [{ name: "z" }] }, 400, /has no output "z"; it has "y"/],
      [{ inputs: [{ ...x, datatype: "INT32" }] }, 400, /input "x" is INT32\[1,3\], FP32\[-1,3\] is expected/],
      [{ inputs: [{ ...x, shape: [3] }] }, 400, /input "x" is FP32\[3\], FP32\[-1,3\] is expected/],
      [{ inputs: [{ ...x, shape: [0, 3], data: [] }] }, 400, /a request without rows/],
      [
        { inputs: [{ ...x, shape: [5, 3], data: Array(15).fill(0) }] },
        400,
        /5 rows; a request has at most 4/,
      ],
      [{ inputs: [x], parameters: { timeout: "soon" } }, 400, /timeout is a number of microseconds/],
      [{ inputs: [x], pad: "x".repeat(4096) }, 413, /too large/i],
    ];
    for (const [body, status, message] of cases) {
      const response = await post(`${server.url}/v2/models/double/infer`, JSON.stringify(body));
      const { error } = (await response.json()) as { error: string };
      expect(error).toMatch(message);
      expect(response.status).toBe(status);
    }
    const zipped = await post(`${server.url}/v2/models/double/infer`, "x", { "content-encoding": "gzip" });
    expect(zipped.status).toBe(415);
    expect(
      await metric(
        server,
        'mlsys_serve_requests_total{model="double",version="",protocol="http",code="INVALID_ARGUMENT"}',
      ),
    ).toBe(8);
  });
});

describe("the protocol over gRPC", () => {
  it("says the same", async () => {
    const server = await serve({ models: { double: new Gate(true).model() } });
    const { call } = await grpc(server);
    expect(await call("ServerLive", {})).toMatchObject({ live: true });
    expect(await call("ServerReady", {})).toMatchObject({ ready: true });
    expect(await call("ModelReady", { name: "double" })).toMatchObject({ ready: true });
    expect(await call("ServerMetadata", {})).toMatchObject({ name: "mlsys" });
    expect(await call("ModelMetadata", { name: "double" })).toMatchObject({
      name: "double",
      versions: ["1"],
      platform: "test_gate",
    });
    expect(await call("ModelConfig", { name: "double" })).toMatchObject({
      config: { name: "double", max_batch_size: 32 },
    });
    expect(await call("RepositoryIndex", {})).toMatchObject({
      models: [{ name: "double", version: "1", state: "READY" }],
    });
    const raw = await call("ModelInfer", { model_name: "double", id: "seven", ...grpcInput(1, 2, 3) });
    expect(raw).toMatchObject({
      id: "seven",
      model_name: "double",
      model_version: "1",
      outputs: [{ name: "y", datatype: "FP32" }],
    });
    expect(numbersIn((raw.raw_output_contents as Uint8Array[])[0])).toEqual([2, 4, 6]);
    const contents = {
      inputs: [{ name: "x", datatype: "FP32", shape: [1, 3], contents: { fp32_contents: [4, 5, 6] } }],
    };
    const listed = await call("ModelInfer", { model_name: "double", model_version: "1", ...contents });
    expect(numbersIn((listed.raw_output_contents as Uint8Array[])[0])).toEqual([8, 10, 12]);
  });

  it("refuses with the same words, and gRPC's own codes", async () => {
    const server = await serve({ models: { double: new Gate(true).model() }, maxBody: 4096 });
    const { call } = await grpc(server);
    const infer = (request: object) => call("ModelInfer", { model_name: "double", ...request });
    const input = (more: object) => ({ inputs: [{ name: "x", datatype: "FP32", shape: [1, 3], ...more }] });
    const cases: [Promise<unknown>, number, RegExp][] = [
      [call("ModelMetadata", { name: "nobody" }), 5, /there is no model "nobody"/],
      [infer({ model_version: "9" }), 5, /has no version "9"/],
      [infer({}), 3, /input "x" is missing/],
      [infer(input({})), 3, /0 elements in fp32_contents, its shape has 3/],
      [
        infer(input({ contents: { int_contents: [1, 2, 3] } })),
        3,
        /FP32 is sent in fp32_contents, not in int_contents/,
      ],
      [infer({ ...input({}), raw_input_contents: [floats(1)] }), 3, /4 raw bytes, FP32\[1,3\] has 12/],
      [
        infer({ ...input({}), raw_input_contents: [floats(1), floats(2)] }),
        3,
        /2 raw_input_contents for 1 input/,
      ],
      [infer(input({ shape: [-1, 3] })), 3, /its shape is a list/],
      [infer(input({ datatype: "BYTES" })), 3, /BYTES is not served/],
      [infer({ ...input({}), raw_input_contents: [Buffer.alloc(5000)] }), 8, /larger than max/],
    ];
    for (const [answer, code, details] of cases)
      await expect(answer).rejects.toMatchObject({ code, details: expect.stringMatching(details) });
  });

  it("streams answers in the order of the requests, errors in their places", async () => {
    const server = await serve({ models: { double: new Gate(true).model() } });
    const stream = (await grpc(server)).stream();
    for (let i = 0; i < 100; i++)
      stream.send({ model_name: i % 10 === 7 ? "nobody" : "double", id: String(i), ...grpcInput(i, 0, 0) });
    stream.end();
    let i = 0;
    for await (const { error_message, infer_response } of stream.answers) {
      if (i % 10 === 7) expect(error_message).toBe('there is no model "nobody"');
      else expect(infer_response).toMatchObject({ id: String(i) });
      i++;
    }
    expect(i).toBe(100);
  });
});

describe("batches", () => {
  it("give what single requests give, of a network with convolutions, whoever shares them", async () => {
    const draw = new Generator(3);
    const net = new nn.Sequential(
      new nn.Conv2d(1, 4, 3),
      new nn.BatchNorm(4),
      new nn.ReLU(),
      new nn.Flatten(),
      new nn.Dense(4 * 36, 5),
    ).eval();
    const server = await serve({
      models: {
        net: { model: net, inputs: ["float32(n, 1, 8, 8)"], inputNames: ["x"], batching: { maxBatch: 8 } },
      },
      grpcPort: false,
    });
    const client = deploy.client(server.url);
    const asked = Array.from({ length: 24 }, (_, i) => draw.normal([1 + (i % 3), 1, 8, 8]));
    const found = await Promise.all(asked.map((x) => client.infer("net", { x })));
    found.forEach(({ outputs }, i) => {
      expectClose([outputs.output], [net.forward(asked[i])]);
    });
  });

  it("are what came while the instance was busy", async () => {
    const gate = new Gate();
    const server = await serve({
      models: { double: gate.model({ batching: { maxBatch: 4 } }) },
      grpcPort: false,
    });
    const client = deploy.client(server.url);
    const first = client.infer("double", { x: rows(0) });
    await until(() => gate.runs === 1);
    const others = Array.from({ length: 6 }, (_, i) => client.infer("double", { x: rows(10 * i) }));
    const waiting = 'mlsys_serve_queue_length{model="double",version="1"}';
    await until(async () => (await metric(server, waiting)) === 6);
    gate.open();
    await first;
    const answers = await Promise.all(others);
    expect(answers.map(({ outputs }) => outputs.y.toArray())).toEqual(
      Array.from({ length: 6 }, (_, i) => [[20 * i, 20 * i + 2, 20 * i + 4]]),
    );
    expect(gate.runs).toBe(3); // 1, 4 and 2 rows
    expect(await metric(server, 'mlsys_serve_batch_rows_sum{model="double",version="1"}')).toBe(7);
  });

  it("are filled up with zeros only where that is allowed", async () => {
    const open = { batching: { maxBatch: 4, preferred: [4] } } as const;
    const fixed = { rows: 4 };
    const server = await serve({
      models: {
        exact: new Gate(true).model(open),
        padded: new Gate(true).model({ batching: { ...open.batching, pad: true } }),
        four: new Gate(true).model({}, fixed),
        upToFour: new Gate(true).model({ batching: { pad: true } }, fixed),
      },
      grpcPort: false,
    });
    const client = deploy.client(server.url);
    const padding = (model: string) =>
      metric(server, `mlsys_serve_padding_rows_total{model="${model}",version="1"}`);
    for (const model of ["exact", "padded", "upToFour"]) {
      const { outputs } = await client.infer(model, { x: rows(1, 5, 9) });
      expect(outputs.y.toArray()).toEqual([1, 5, 9].map((v) => [2 * v, 2 * v + 2, 2 * v + 4]));
    }
    expect([await padding("exact"), await padding("padded"), await padding("upToFour")]).toEqual([0, 1, 1]);
    expect((await client.metadata("upToFour")).inputs[0].shape).toEqual([-1, 3]);
    expect((await client.metadata("four")).inputs[0].shape).toEqual([4, 3]);
    await expect(client.infer("four", { x: rows(1) })).rejects.toThrow(
      /FP32\[1,3\], FP32\[4,3\] is expected/,
    );
    expect((await client.infer("four", { x: rows(1, 2, 3, 4) })).outputs.y.shape).toEqual([4, 3]);
  });

  it("are not made of models whose rows depend on each other", async () => {
    const mixing = new Gate(true).model({}, { mix: true });
    const server = await serve({ models: { mixing }, grpcPort: false });
    const client = deploy.client(server.url);
    const answers = await Promise.all(
      [1, 2, 3].map((v) => client.infer("mixing", { x: tensor([[v, 0, 0]]) })),
    );
    expect(answers.map(({ outputs }) => outputs.y.toArray())).toEqual([1, 2, 3].map((v) => [[3 * v, v, v]]));
    await expect(server.load("mixing", { ...mixing, batching: {} })).rejects.toThrow(
      /can't be batched: output "y" of a row changes with the rows beside it/,
    );
  });
});

describe("too much", () => {
  it("is refused with 429 and when to come back; what was accepted is answered", async () => {
    const gate = new Gate();
    const server = await serve({ models: { double: gate.model({ maxQueue: 2, batching: false }) } });
    const url = `${server.url}/v2/models/double/infer`;
    const first = post(url, inferJson(0));
    await until(() => gate.runs === 1);
    const waiting = [post(url, inferJson(1)), post(url, inferJson(2))];
    await until(
      async () => (await metric(server, 'mlsys_serve_queue_length{model="double",version="1"}')) === 2,
    );
    const refused = await post(url, inferJson(3));
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
    expect(await refused.json()).toEqual({ error: "the queue is full: 2 request(s) wait, at most 2 may" });
    await expect(deploy.client(server.url).infer("double", { x: rows(3) })).rejects.toMatchObject({
      code: "RESOURCE_EXHAUSTED",
      retryAfter: expect.any(Number),
    });
    const { call } = await grpc(server);
    const over = await call("ModelInfer", { model_name: "double", ...grpcInput(1, 2, 3) }).catch(
      (error) => error,
    );
    expect(over).toMatchObject({ code: 8 });
    expect(over.metadata.get("retry-after")).toEqual([expect.stringMatching(/^\d+$/)]);
    gate.open();
    for (const answer of [first, ...waiting]) expect((await answer).status).toBe(200);
    const label = (code: string, protocol: string) =>
      `mlsys_serve_requests_total{model="double",version="${code === "OK" ? 1 : ""}",protocol="${protocol}",code="${code}"}`;
    expect(await metric(server, label("OK", "http"))).toBe(3);
    expect(await metric(server, label("RESOURCE_EXHAUSTED", "http"))).toBe(2);
    expect(await metric(server, label("RESOURCE_EXHAUSTED", "grpc"))).toBe(1);
  });

  it("of time: a request past its deadline fails, and never runs if it waits", async () => {
    const gate = new Gate();
    const server = await serve({ models: { double: gate.model({ batching: false }) } });
    const url = `${server.url}/v2/models/double/infer`;
    const running = post(url, inferJson(0));
    await until(() => gate.runs === 1);
    const late = await post(url, inferJson(1, { parameters: { timeout: 1000 } }));
    expect(late.status).toBe(504);
    expect(await late.json()).toEqual({
      error: 'model "double", version 1: no answer in 1 ms, the request\'s time',
    });
    const { call } = await grpc(server);
    const request = { model_name: "double", ...grpcInput(1, 2, 3) };
    await expect(call("ModelInfer", request, { deadline: new Date(Date.now() + 50) })).rejects.toMatchObject({
      code: 4,
    });
    const timeout = { parameters: { timeout: { int64_param: 1000 } } };
    await expect(call("ModelInfer", { ...request, ...timeout })).rejects.toMatchObject({
      code: 4,
      details: expect.stringMatching(/no answer in 1 ms/),
    });
    await until(
      async () => (await metric(server, 'mlsys_serve_queue_length{model="double",version="1"}')) === 0,
    );
    gate.open();
    expect((await running).status).toBe(200);
    expect(gate.runs).toBe(1);
  });

  it("of a model's own time: its default for requests that name none", async () => {
    const gate = new Gate();
    const server = await serve({ models: { double: gate.model({ timeoutMs: 20 }) }, grpcPort: false });
    await expect(deploy.client(server.url).infer("double", { x: rows(1) })).rejects.toMatchObject({
      code: "DEADLINE_EXCEEDED",
    });
    gate.open();
  });

  it("patience: a request whose client is gone leaves the queue", async () => {
    const gate = new Gate();
    const server = await serve({ models: { double: gate.model({ batching: false }) }, grpcPort: false });
    const client = deploy.client(server.url);
    const first = client.infer("double", { x: rows(0) });
    await until(() => gate.runs === 1);
    const waiting = 'mlsys_serve_queue_length{model="double",version="1"}';
    const impatient = new AbortController();
    const second = client.infer("double", { x: rows(1) }, { signal: impatient.signal });
    await until(async () => (await metric(server, waiting)) === 1);
    impatient.abort();
    await expect(second).rejects.toMatchObject({ code: "CANCELLED" });
    await until(async () => (await metric(server, waiting)) === 0);
    gate.open();
    await first;
    expect(gate.runs).toBe(1);
  });
});

describe("models that go wrong", () => {
  it("fail their requests with what they threw, and answer the next", async () => {
    const server = await serve({ models: { bad: new Gate(true).model({}, { fail: "out of luck" }) } });
    const answer = await post(`${server.url}/v2/models/bad/infer`, inferJson());
    expect([answer.status, await answer.json()]).toEqual([
      500,
      { error: 'model "bad", version 1: out of luck' },
    ]);
    expect(await deploy.client(server.url).isReady("bad")).toBe(true);
  });

  it("whose thread dies fail what ran, are started again, and are given up when that does not help", async () => {
    const gate = new Gate();
    const server = await serve({
      models: { bad: gate.model({ batching: false }, { exit: 3 }) },
      grpcPort: false,
    });
    const client = deploy.client(server.url);
    const answers = Array.from({ length: 4 }, (_, i) =>
      client.infer("bad", { x: rows(i) }).catch((error) => error),
    );
    await until(() => gate.runs === 1);
    await until(async () => (await metric(server, 'mlsys_serve_in_flight{model="bad",version="1"}')) === 4);
    gate.open();
    const codes = (await Promise.all(answers)).map(({ code }) => code);
    expect(codes.sort()).toEqual(["INTERNAL", "INTERNAL", "INTERNAL", "UNAVAILABLE"]);
    await until(async () => !(await client.isReady("bad")));
    expect(await client.isReady()).toBe(false);
    expect(await server.index()).toEqual([
      {
        name: "bad",
        version: "1",
        state: "UNAVAILABLE",
        reason: expect.stringMatching(/thread died: it ended with exit code 3/),
      },
    ]);
    await server.load("bad", new Gate(true).model());
    expect((await client.infer("bad", { x: rows(1) })).outputs.y.toArray()).toEqual([[2, 4, 6]]);
  });

  it("are not served if they can't be loaded", async () => {
    await expect(
      deploy.serve({ models: { bad: new Gate().model({}, { refuse: "not today" }) } }),
    ).rejects.toThrow('model "bad", version 1 was not loaded: not today');
    await expect(deploy.serve({ models: { bad: { bytes: Buffer.from("nonsense") } } })).rejects.toThrow(
      /not an ONNX model/,
    );
    await expect(deploy.serve({ models: { bad: "/nowhere/model.onnx" } })).rejects.toThrow(/is not there/);
    await expect(deploy.serve({ models: { "../bad": new Gate().model() } })).rejects.toThrow(
      /a model's name has/,
    );
    await expect(deploy.serve({ models: { bad: new Gate().model({ instances: 0 }) } })).rejects.toThrow(
      /instances is a whole number/,
    );
  });
});

describe("a server that closes", () => {
  it("says so first, takes nothing more, and answers what it has", async () => {
    const gate = new Gate();
    const server = await serve({ models: { double: gate.model({ batching: false }) } });
    const client = deploy.client(server.url);
    const { call } = await grpc(server);
    const overGrpc = call("ModelInfer", { model_name: "double", ...grpcInput(1, 2, 3) });
    await until(() => gate.runs === 1);
    const overHttp = client.infer("double", { x: rows(5) });
    await until(
      async () => (await metric(server, 'mlsys_serve_in_flight{model="double",version="1"}')) === 2,
    );
    const closed = server.close();
    expect(server.close()).toBe(closed);
    await expect(client.infer("double", { x: rows(1) })).rejects.toMatchObject({ code: "UNAVAILABLE" });
    gate.open();
    expect((await overHttp).outputs.y.toArray()).toEqual([[10, 12, 14]]);
    expect(numbersIn(((await overGrpc).raw_output_contents as Uint8Array[])[0])).toEqual([2, 4, 6]);
    await closed;
    await expect(fetch(`${server.url}/v2/health/live`)).rejects.toThrow();
  });

  it("is not ready, and still answers, in its time of grace", async () => {
    const server = await serve({ models: { double: new Gate(true).model() }, grpcPort: false });
    const client = deploy.client(server.url);
    const hour = 3_600_000;
    const closed = server.close({ graceMs: hour });
    expect(await client.isReady()).toBe(false);
    expect(await client.isLive()).toBe(true);
    expect((await client.infer("double", { x: rows(1) })).outputs.y.toArray()).toEqual([[2, 4, 6]]);
    void server.close(); // waits no longer
    await closed;
  });

  it("tells those whose time is over that they get no answer", async () => {
    const gate = new Gate();
    const server = await serve({ models: { double: gate.model({ batching: false }) }, grpcPort: false });
    const client = deploy.client(server.url);
    const asked = [1, 2].map((v) => client.infer("double", { x: rows(v) }).catch((error) => error));
    await until(() => gate.runs === 1);
    await until(
      async () => (await metric(server, 'mlsys_serve_in_flight{model="double",version="1"}')) === 2,
    );
    await server.close({ drainMs: 0 });
    for (const error of await Promise.all(asked)) expect(error).toBeInstanceOf(deploy.ServeError);
  });
});
