/** Versions: a new one takes over under load, the one before is there to go back to, and no request is lost. */
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Tensor } from "../../../src/index.js";
import {
  deploy,
  Gate,
  grpcClient,
  type ModelServer,
  post,
  rows,
  tensor,
  until,
} from "../../support/serving.js";

let folder: string;
let server: ModelServer | null = null;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "mlsys-serve-"));
});
afterEach(async () => {
  await server?.close({ drainMs: 0 });
  server = null;
  rmSync(folder, { recursive: true, force: true });
});

/** A model file of `x · factor`. */
const times = (factor: number): Uint8Array =>
  deploy.writeOnnx((x: Tensor) => x.mul(factor), ["float32(n, 3)"], {
    inputNames: ["x"],
    outputNames: ["y"],
  });

/** Puts a version into the repository, whole when it is seen. */
function put(model: string, version: number, bytes: Uint8Array): void {
  const [made, place] = [join(folder, `.${model}.${version}`), join(folder, model, String(version))];
  mkdirSync(made);
  writeFileSync(join(made, "model.onnx"), bytes);
  mkdirSync(join(folder, model), { recursive: true });
  cpSync(made, place, { recursive: true });
  rmSync(made, { recursive: true });
}

/** The same as a backend that starts at once. */
const quick = (factor: number) => new Gate(true).model({}, { factor });

const one = tensor([[1, 2, 3]]);
const first = async (version?: number): Promise<number> =>
  (
    (
      await deploy.client((server as ModelServer).url).infer("m", { x: one }, { version })
    ).outputs.y.toArray() as number[][]
  )[0][0];

describe("versions", () => {
  it("take over while requests come, and every request is answered by one or the other", async () => {
    server = await deploy.serve({ models: { m: quick(1) }, grpcPort: false });
    const client = deploy.client(server.url);
    const seen: { version: string | undefined; y: unknown; failed?: unknown }[] = [];
    let over = false;
    const load = Array.from({ length: 8 }, async () => {
      while (!over) {
        const answer = await client.infer("m", { x: one }).catch((failed: unknown) => ({ failed }));
        seen.push(
          "failed" in answer
            ? { version: "", y: null, ...answer }
            : { version: answer.version, y: answer.outputs.y.toArray() },
        );
      }
    });
    for (let version = 2; version <= 5; version++) {
      expect(await server.load("m", quick(version))).toBe(String(version));
      const before = seen.length;
      await until(() => seen.slice(before).some((answer) => answer.version === String(version)));
    }
    expect(server.rollback("m")).toBe("4");
    const back = seen.length;
    await until(() => seen.slice(back).some(({ version }) => version === "4"));
    over = true;
    await Promise.all(load);
    expect(seen.filter(({ failed }) => failed !== undefined)).toEqual([]);
    for (const { version, y } of seen) expect(y).toEqual([[1, 2, 3].map((v) => v * Number(version))]);
    expect([...new Set(seen.map(({ version }) => version))].sort()).toEqual(["1", "2", "3", "4", "5"]);
  });

  it("answer what they have accepted before they go", async () => {
    const gate = new Gate();
    server = await deploy.serve({
      models: { m: gate.model({ batching: false, versions: { latest: 1 } }) },
      grpcPort: false,
    });
    const client = deploy.client(server.url);
    const accepted = [1, 2, 3].map((v) => client.infer("m", { x: rows(v) }));
    await until(() => gate.runs === 1);
    await until(async () =>
      /in_flight\{model="m",version="1"\} 3/.test(await (server as ModelServer).metrics()),
    );
    await server.load("m", new Gate(true).model({ versions: { latest: 1 } }, { factor: 3 }));
    expect((await client.infer("m", { x: rows(1) })).outputs.y.toArray()).toEqual([[3, 6, 9]]);
    expect(await server.index()).toMatchObject([
      { version: "1", state: "UNLOADING" },
      { version: "2", state: "READY" },
    ]);
    await expect(client.infer("m", { x: rows(1) }, { version: 1 })).rejects.toMatchObject({
      code: "UNAVAILABLE",
    });
    gate.open();
    const answers = await Promise.all(accepted);
    expect(answers.map(({ outputs }) => outputs.y.toArray())).toEqual(
      [1, 2, 3].map((v) => [[2 * v, 2 * v + 2, 2 * v + 4]]),
    );
    await until(async () => (await (server as ModelServer).index()).length === 1);
  });

  it("stay as they are if a new one can't be loaded", async () => {
    server = await deploy.serve({ models: { m: quick(1) }, grpcPort: false });
    await expect(server.load("m", { bytes: times(2).subarray(0, 40) })).rejects.toThrow(
      /not an ONNX model, or damaged/,
    );
    expect(await first()).toBe(1);
    expect(await deploy.client(server.url).isReady()).toBe(true);
  });

  it("are asked for by number, and one is chosen to answer the rest", async () => {
    server = await deploy.serve({ models: { m: quick(1) } });
    await server.load("m", quick(2));
    expect([await first(), await first(1), await first(2)]).toEqual([2, 1, 2]);
    server.activate("m", 1);
    expect(await first()).toBe(1);
    expect(server.rollback("m")).toBe("2");
    expect(() => server?.activate("m", 7)).toThrow(/no version "7"; loaded: 1, 2/);
    await server.unload("m", 1);
    expect(() => server?.rollback("m")).toThrow(/no version from before is loaded/);
    await server.unload("m");
    await expect(first()).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it("of a repository are read, renewed, chosen and unloaded by clients of both protocols", async () => {
    put("m", 1, times(1));
    put("m", 2, times(2));
    put("other", 1, times(9));
    writeFileSync(
      join(folder, "m", "config.json"),
      JSON.stringify({ max_batch_size: 4, version_policy: { latest: { num_versions: 2 } } }),
    );
    server = await deploy.serve({ repositories: [folder] });
    const client = deploy.client(server.url);
    const grpc = await grpcClient(server.grpcUrl as string);
    try {
      expect(await first()).toBe(2);
      expect((await client.metadata("m")).versions).toEqual(["1", "2"]);
      expect(await grpc.call("ModelConfig", { name: "m" })).toMatchObject({ config: { max_batch_size: 4 } });
      put("m", 3, times(3));
      await client.load("m");
      expect(await first()).toBe(3);
      await until(async () => (await client.metadata("m")).versions.join() === "2,3");
      await client.load("m", { version: 2 }); // roll back
      expect(await first()).toBe(2);
      await grpc.call("RepositoryModelLoad", {
        model_name: "m",
        parameters: { version: { string_param: "3" } },
      });
      expect(await first()).toBe(3);
      writeFileSync(join(folder, "m", "3", "model.onnx"), times(33));
      await grpc.call("RepositoryModelLoad", { model_name: "m" });
      expect(await first()).toBe(33);
      writeFileSync(join(folder, "m", "3", "model.onnx"), "damaged");
      await expect(client.load("m")).rejects.toMatchObject({
        code: "INVALID_ARGUMENT",
        message: expect.stringMatching(/model.onnx: not an ONNX model/),
      });
      expect(await first()).toBe(33);
      await client.unload("other");
      expect(await client.isReady("other")).toBe(false);
      expect(await client.index()).toMatchObject([
        { name: "m", version: "2", state: "READY" },
        { name: "m", version: "3", state: "READY" },
        { name: "other", version: "", state: "UNAVAILABLE", reason: "unloaded" },
      ]);
      await client.load("other");
      expect(await client.isReady("other")).toBe(true);
      await expect(client.load("nobody")).rejects.toMatchObject({ code: "NOT_FOUND" });
      await expect(client.load("..")).rejects.toThrow(); // the URL is another then
      const up = await post(`${server.url}/v2/repository/models/..%2Fother/load`);
      expect([up.status, await up.json()]).toMatchObject([
        400,
        { error: expect.stringMatching(/a model's name has/) },
      ]);
    } finally {
      grpc.close();
    }
  });

  it("are found anew with all that has changed", async () => {
    put("m", 1, times(1));
    server = await deploy.serve({ repositories: [folder], grpcPort: false });
    put("m", 2, times(2));
    put("late", 1, times(5));
    put("bad", 1, Buffer.from("damaged"));
    expect(await server.reloadAll()).toMatchObject([{ name: "bad", error: { code: "INVALID_ARGUMENT" } }]);
    expect(await first()).toBe(2);
    expect(await deploy.client(server.url).isReady("late")).toBe(true);
  });

  it("of configurations that are wrong are refused, naming the field", async () => {
    put("m", 1, times(1));
    for (const [json, message] of [
      ["{", /config.json: not JSON/],
      ['{"max_batch": 3}', /unknown field "max_batch"; known: name/],
      ['{"max_batch_size": "many"}', /max_batch_size is a number, got "many"/],
      ['{"dynamic_batching": {"preferred_batch_size": 4}}', /preferred_batch_size is a list, got 4/],
      [
        '{"max_batch_size": 2, "dynamic_batching": {"preferred_batch_size": [4]}}',
        /preferred size 4 is more than maxBatch, 2/,
      ],
      ['{"version_policy": {}}', /version_policy has latest, all or specific/],
    ] as const) {
      writeFileSync(join(folder, "m", "config.json"), json);
      await expect(deploy.serve({ repositories: [folder] })).rejects.toThrow(message);
    }
  });
});

describe("models of every kind", () => {
  it("are served from code, bytes and files alike", async () => {
    const twice = (x: Tensor) => x.mul(2);
    const [onnx, own, tfjs] = ["m.onnx", "m.mlsys", "model.json"].map((name) => join(folder, name));
    writeFileSync(onnx, times(2));
    await deploy.saveModel(own, twice, [one]);
    const relu = { class_name: "ReLU", config: { name: "r", batch_input_shape: [null, 3] } };
    const topology = { class_name: "Sequential", config: { layers: [relu] } };
    writeFileSync(tfjs, JSON.stringify({ format: "layers-model", modelTopology: topology }));
    server = await deploy.serve({
      models: {
        code: { model: twice, inputs: ["float32(n, 3)"] },
        fixed: { model: twice, inputs: [one] },
        model: { bytes: deploy.encodeModelFile(twice, [one]) },
        ...{ onnx, own, tfjs },
      },
      grpcPort: false,
    });
    const client = deploy.client(server.url);
    for (const name of ["code", "fixed", "model", "onnx", "own", "tfjs"]) {
      const { inputs, outputs } = await client.metadata(name);
      expect(inputs[0].shape.slice(1)).toEqual([3]);
      const answer = await client.infer(name, { [inputs[0].name]: one });
      expect(answer.outputs[outputs[0].name].toArray(), name).toEqual([
        name === "tfjs" ? [1, 2, 3] : [2, 4, 6],
      ]);
    }
    await expect(server.load("code", { model: twice })).rejects.toThrow(/give its inputs/);
  });

  it("keep whole numbers of 64 bits, truth values and floats of 16 bits as they are", async () => {
    const types = ["int64", "bool", "float16", "bfloat16", "float64", "uint8"] as const;
    const same = (...xs: Tensor[]) => xs.map((x) => x.reshape([-1]));
    const model = { model: same, inputs: types.map((dtype) => `${dtype}(n)`), inputNames: types };
    server = await deploy.serve({
      models: { m: { ...model, outputNames: types.map((dtype) => `${dtype}_out`) } },
      grpcPort: false,
    });
    const given = Object.fromEntries(types.map((dtype) => [dtype, tensor([1, 0], { dtype })]));
    given.int64 = tensor([2 ** 53 - 1, -5], { dtype: "int64" });
    const { outputs } = await deploy.client(server.url).infer("m", given);
    for (const dtype of types) {
      const y = outputs[`${dtype}_out`];
      expect([y.dtype, y.toArray()]).toEqual([dtype, given[dtype].toArray()]);
    }
  });
});
