import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { expectClose } from "../../../test/support/close.js";
import {
  cond,
  deploy,
  Generator,
  grad,
  graph,
  linalg,
  nn,
  ones,
  scan,
  switchCase,
  type Tensor,
  tensor,
  vmap,
  whileLoop,
} from "../../index.js";
import { decodeModel, encodeModel } from "./schema.js";

const { readOnnx, writeOnnx, saveOnnx, loadOnnx, OnnxError } = deploy;
const folder = mkdtempSync(join(tmpdir(), "mlsys-onnx-"));
afterAll(() => rmSync(folder, { recursive: true }));
const draw = new Generator(5);

const opsOf = (bytes: Uint8Array): string[] =>
  (decodeModel(bytes, "test").graph?.node ?? []).map(({ op_type }) => op_type ?? "");

describe("writeOnnx", () => {
  it("writes a module under its parameters' names, and pools and convolutions as one op each", () => {
    const model = new nn.Sequential(
      new nn.Conv2d(3, 4, 3, { padding: 1 }),
      new nn.ReLU(),
      new nn.MaxPool2d(3, { stride: 2, padding: 1 }),
      new nn.AvgPool2d(2),
      new nn.Flatten(),
      new nn.Dense(16, 2),
    );
    const x = draw.normal([1, 3, 8, 8]);
    const bytes = writeOnnx(model, [x], { outputNames: ["score"], inputNames: ["image"] });
    expect(opsOf(bytes)).toEqual([
      "Conv",
      "Add",
      "Relu",
      "MaxPool",
      "AveragePool",
      "Reshape",
      "MatMul",
      "Add",
    ]);
    const again = readOnnx(bytes);
    expect(again.inputs).toEqual([{ name: "image", dtype: "float32", shape: [1, 3, 8, 8] }]);
    expect(again.outputs.map(({ name }) => name)).toEqual(["score"]);
    expect([...again.weights.keys()]).toContain("weight");
    expectClose(again.call(x), [model.forward(x) as Tensor]);
  });

  it("keeps open sizes open, also in reshapes, slices and means", () => {
    const f = (x: Tensor) => {
      const flat = x.reshape([x.shape[0] * 2, 3]);
      return [flat.mean(0), flat.slice([1, x.shape[0]]), x.broadcastTo([4, x.shape[0], 2, 3]).sum(0)];
    };
    const bytes = writeOnnx(f, ["float32(n, 2, 3)"]);
    const model = readOnnx(bytes);
    expect(model.inputs[0].shape).toEqual(["n", 2, 3]);
    expect(model.outputs[1].shape?.[1]).toBe(3);
    for (const n of [2, 5]) {
      const x = draw.normal([n, 2, 3]);
      expectClose(model.call(x), f(x));
    }
  });

  it("names results by their place in what the function returns", () => {
    const bytes = writeOnnx((x: Tensor) => ({ loss: x.sum(), parts: [x, x.neg()] }), [ones([2])]);
    expect(readOnnx(bytes).outputs.map(({ name }) => name)).toEqual([
      "output.loss",
      "output.parts.0",
      "output.parts.1",
    ]);
  });

  it("writes results that are parameters, constants, or twice the same", () => {
    const c = tensor([5, 6]);
    const model = readOnnx(writeOnnx((x: Tensor) => [x, c, x.mul(2), x.mul(2)], [ones([2])]));
    expectClose(model.call(tensor([1, 2])), [tensor([1, 2]), c, tensor([2, 4]), tensor([2, 4])]);
  });

  it("writes control flow with closures, nested", () => {
    const w = tensor([2, 3]);
    const f = (x: Tensor, i: Tensor) => {
      const [grown] = whileLoop(
        (v: Tensor) => v.sum().less(w.sum().mul(10)),
        (v: Tensor) => [
          cond(
            v.sum().less(20),
            () => v.mul(w),
            () => v.add(w),
          ),
        ],
        [x],
      );
      const [last, all] = scan(
        (s: Tensor, v: Tensor) => [s.add(v.mul(w)), s.mul(grown)],
        grown,
        x.expandDims(0).broadcastTo([3, 2]),
        { reverse: true },
      );
      const [counted] = scan((s: Tensor) => [s.mul(w), null], x, [] as Tensor[], { length: 4 });
      return [
        grown,
        last,
        all,
        counted,
        switchCase(i, [(v: Tensor) => v.neg(), (v: Tensor) => v.mul(w), (v: Tensor) => v], x),
      ];
    };
    const bytes = writeOnnx(f, [ones([2]), tensor(0, { dtype: "int32" })]);
    expect(opsOf(bytes)).toEqual(expect.arrayContaining(["Loop", "Scan", "If"]));
    const model = readOnnx(bytes);
    for (const i of [-1, 0, 1, 2, 9]) {
      const args = [tensor([1, 1.5]), tensor(i, { dtype: "int32" })] as const;
      expectClose(model.call(...args), f(...args));
      expectClose(
        graph.interpret(
          graph.capture((...xs: Tensor[]) => model.call(...xs), ...args),
          args,
        ),
        f(...args),
      );
    }
  });

  it("writes gradients, and what it read can be differentiated and mapped", () => {
    const w = draw.normal([3, 4]);
    const loss = (x: Tensor) => x.matmul(w).tanh().square().sum();
    const x = draw.normal([2, 3]);
    expectClose(readOnnx(writeOnnx(grad(loss), [x])).call(x), [grad(loss)(x)]);
    const model = readOnnx(writeOnnx(loss, [x]));
    expectClose([grad((v: Tensor) => model.call(v)[0])(x)], [grad(loss)(x)]);
    const row = readOnnx(writeOnnx((v: Tensor) => v.matmul(w).relu(), [x.at(0)]));
    expectClose([vmap((v: Tensor) => row.call(v)[0])(x)], [x.matmul(w).relu()]);
  });

  it("says what ONNX can't, where, and which opset it would take", () => {
    expect(() => writeOnnx((x: Tensor) => linalg.inv(x), [ones([2, 2])])).toThrow(
      /^onnx: inv \(%1\) at .*write\.test\.ts:\d+:\d+ has no form in ONNX opset 20/,
    );
    const bits = (x: Tensor) => x.bitwiseAnd(1);
    expect(() => writeOnnx(bits, [tensor([1], { dtype: "int32" })], { opset: 17 })).toThrow(
      /bitwiseAnd .* needs opset 18 or newer, 17/,
    );
    expect(() => writeOnnx((x: Tensor) => x, [ones([1])], { opset: 12 })).toThrow(
      /opset 12; 13 to 24 can be written/,
    );
    expect(() => writeOnnx((x: Tensor) => x, [ones([1])], { outputNames: ["a", "b"] })).toThrow(
      /2 names for 1 output/,
    );
    expect(() =>
      writeOnnx((x: Tensor, y: Tensor) => x.add(y), [ones([1]), ones([1])], { inputNames: ["a", "a"] }),
    ).toThrow(/stand twice/);
  });

  it("keeps every dtype", () => {
    for (const dtype of [
      "float64",
      "float32",
      "float16",
      "bfloat16",
      "int64",
      "int32",
      "int16",
      "int8",
      "uint8",
      "bool",
    ] as const) {
      const c = tensor([0, 1, 100], { dtype });
      const model = readOnnx(writeOnnx((x: Tensor) => [x, c], [c]));
      expectClose(model.call(c), [c, c]);
    }
  });
});

describe("saveOnnx", () => {
  it("puts large weights beside the model, at pages, and reads them back", async () => {
    const model = new nn.Sequential(new nn.Dense(40, 30), new nn.Dense(30, 2));
    const x = draw.normal([2, 40]);
    const file = join(folder, "beside.onnx");
    await saveOnnx(file, model, [x], { externalFrom: 200 });
    expect(readdirSync(folder).sort()).toEqual(["beside.onnx", "beside.onnx.data"]);
    expect(statSync(`${file}.data`).size).toBe(8192 + 240); // 4800 bytes at 0, 240 at the next page
    expect(statSync(file).size).toBeLessThan(2000);
    expectClose((await loadOnnx(file)).call(x), [model.forward(x) as Tensor]);
    expect(() => readOnnx(readFileSync(file))).toThrow(/its elements are in another file/);
    writeFileSync(`${file}.data`, readFileSync(`${file}.data`).subarray(0, 100));
    await expect(loadOnnx(file)).rejects.toThrow(
      /beside\.onnx: .*bytes .* of "beside.onnx.data", which has 100/,
    );
  });

  it("reads nothing outside the model's folder", async () => {
    const file = join(folder, "evil.onnx");
    writeFileSync(join(folder, "..", `${folder.split("/").at(-1)}-secret`), new Uint8Array(12));
    symlinkSync("/etc/hostname", join(folder, "link"));
    const proto = decodeModel(
      writeOnnx((x: Tensor) => x.add(tensor([1, 2, 3])), [ones([3])]),
      "test",
    );
    const weight = proto.graph?.initializer?.[0] ?? {};
    for (const location of [
      `../${folder.split("/").at(-1)}-secret`,
      "/etc/passwd",
      "link",
      "a/../../x",
      "nowhere",
      "x\0y",
    ]) {
      const broken = {
        ...weight,
        raw_data: undefined,
        data_location: 1,
        external_data: [{ key: "location", value: location }],
      };
      const bytes = encodeModel({ ...proto, graph: { ...proto.graph, initializer: [broken] } });
      writeFileSync(file, bytes);
      await expect(loadOnnx(file), location).rejects.toThrow(OnnxError);
      await expect(loadOnnx(file), location).rejects.toThrow(
        /outside the model's folder|not beside the model/,
      );
    }
    rmSync(join(folder, "..", `${folder.split("/").at(-1)}-secret`));
  });

  it("leaves nothing behind when it fails", async () => {
    const before = readdirSync(folder).sort();
    await expect(
      saveOnnx(join(folder, "no.onnx"), (x: Tensor) => linalg.inv(x), [ones([2, 2])]),
    ).rejects.toThrow(/no form/);
    expect(readdirSync(folder).sort()).toEqual(before);
  });
});
