import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { modelCases } from "../../../../test/deploy/models.js";
import { expectClose } from "../../../../test/support/close.js";
import { registerLoopback } from "../../../../test/support/loopback.js";
import { call, compile } from "../../../graph/index.js";
import {
  capture,
  deploy,
  Generator,
  getDevice,
  MlsysError,
  nn,
  ones,
  setDevice,
  type Tensor,
  tree,
  vmap,
  zeros,
} from "../../../index.js";
import { freeze } from "../../../ir/json.js";
import { eliminateDeadCode } from "../../../ir/passes/dce.js";
import { randomArguments, randomGraph } from "../../../ir/random-graph.js";
import { type DenseTensor, elementBytes } from "../../../runtime/dense.js";
import { Dice } from "../dice.js";
import { parsed } from "./clusters.js";
import { decodeLibrary, encodeLibrary } from "./library.js";
import { disguise, noise, randomPlaces, undisguise } from "./words.js";

const { obfuscate, restore, ModelFileError } = deploy;
const cases = modelCases();
const FAST = { runs: 0 } as const;
const folder = mkdtempSync(join(tmpdir(), "mlsys-obfuscation-"));
afterAll(() => rmSync(folder, { recursive: true }));

const here = getDevice();
afterEach(() => setDevice(here));

const bytesOf = (x: Tensor): Buffer => Buffer.from(elementBytes(x as DenseTensor));
const bitsOf = (tensors: readonly Tensor[]): string[] => tensors.map((x) => bytesOf(x).toString("hex"));
const opsOf = (graph: { nodes: readonly { op: { name: string } }[] }): string[] =>
  graph.nodes.map(({ op }) => op.name).sort();

describe("obfuscated models", () => {
  it.each(Object.keys(cases))("%s: the results stay, obfuscated and restored", (name) => {
    const { f, args } = cases[name];
    const wanted = tree.flatten(f(...args)).leaves;
    const made = obfuscate(f, args, { ...FAST, seed: name, decoys: 0.6 });
    expectClose(made.call(...args), wanted, 1e-5);
    expectClose(compile(restore(made.graph), { level: "O3" }).run(args), wanted, 1e-5);
  });

  it.each(["mlp", "cnn", "bert", "scan", "whole numbers"])(
    "%s: to the bit, where the original runs op by op too",
    (name) => {
      setDevice("cpu");
      const { f, args } = cases[name];
      const graph = parsed(freeze(capture(f as never, ...args)));
      const wanted = bitsOf(compile(graph, { passes: [] }).run(args));
      const made = obfuscate(f, args, { ...FAST, seed: 5, level: "O0" });
      expect(bitsOf(compile(made.graph, { passes: [] }).run(args))).toEqual(wanted);
      expect(bitsOf(compile(restore(made.graph), { passes: [] }).run(args))).toEqual(wanted);
    },
  );

  it("are right for any graph and seed", () => {
    const choices = fc.record({
      graph: fc.nat(),
      seed: fc.nat(),
      merge: fc.integer({ min: 1, max: 6 }),
      share: fc.integer({ min: 1, max: 4 }),
      decoys: fc.constantFrom(0, 0.5, 1),
    });
    fc.assert(
      fc.property(choices, ({ graph, ...options }) => {
        const original = randomGraph(graph);
        const args = randomArguments(original, graph);
        const wanted = compile(original).run(args);
        const made = obfuscate(original, [], { ...FAST, ...options });
        expectClose(made.call(...args), wanted, 1e-5);
        expectClose(compile(restore(made.graph)).run(args), wanted, 1e-5);
        expect(eliminateDeadCode(made.graph).nodes.length).toBe(made.graph.nodes.length);
      }),
      { numRuns: 25 },
    );
  });

  it("return arguments, constants, nothing and the same value twice as they are", () => {
    const w = new Generator(1).normal([3]);
    const f = (x: Tensor, empty: Tensor) => {
      const y = x.add(1);
      return [x, w, y, y, w.mul(2), empty, empty.add(1)];
    };
    const args = [ones([3]), zeros([0, 2])];
    const made = obfuscate(f, args, FAST);
    expectClose(made.call(...args), f(args[0], args[1]), 0);
    expectClose(compile(restore(made.graph)).run(args), f(args[0], args[1]), 0);
    const alone = obfuscate(() => w.mul(3), [], FAST);
    expectClose(alone.call(), [w.mul(3)], 0);
  });

  it("run on a device with a memory of its own", () => {
    registerLoopback();
    setDevice("loopback");
    const { f, args } = cases.bert;
    const wanted = tree.flatten(f(...args)).leaves;
    const made = obfuscate(f, args, { ...FAST, seed: 6 });
    expectClose(made.call(...args), wanted, 1e-5);
    expectClose(compile(restore(made.graph)).run(args), wanted, 1e-5);
  });

  it("can be mapped, and not differentiated", () => {
    const made = obfuscate((x: Tensor) => x.sin().mul(2).sum(), [ones([3])], FAST);
    const x = new Generator(2).normal([4, 3]);
    expectClose([vmap((row: Tensor) => call(made.graph, [row])[0])(x)], [x.sin().mul(2).sum(1)], 1e-6);
  });
});

describe("what an obfuscated model shows", () => {
  const layers = Array.from({ length: 9 }, () => [new nn.Dense(16, 16), new nn.ReLU()]).flat();
  const model = new nn.Sequential(...layers, new nn.Dense(16, 4));
  const x = new Generator(3).normal([2, 16]);

  it("is neither names nor ops nor weights", async () => {
    const made = obfuscate(model, [x], { ...FAST, seed: 1 });
    const [file, plain] = [join(folder, "hidden.mlsys"), join(folder, "plain.mlsys")];
    await deploy.saveModel(file, made.graph);
    await deploy.saveModel(plain, model, [x]);
    const weights = model.layers.filter((l) => l instanceof nn.Dense).map((l) => bytesOf(l.weight.value));
    const needles = ["matmul", "relu", "weight", "bias", "Sequential", ".ts:"];
    const words = weights.flatMap((w) => [0, 64, 128].map((at) => w.subarray(at, at + 8)));
    const shown = (name: string) => {
      const bytes = readFileSync(name);
      return [...needles, ...words].filter((needle) => bytes.includes(needle)).map(String);
    };
    expect(shown(plain).length).toBeGreaterThan(words.length);
    expect(shown(file)).toEqual([]);
    expect(made.graph.values().every(({ name }) => name === null)).toBe(true);
    expect(made.graph.nodes.every(({ loc }) => loc === null)).toBe(true);
    // disguised words are spread evenly: the mean of 256 kinds of bytes is 127.5, give or take
    const hidden = Buffer.concat(made.graph.constants.map(({ data }) => bytesOf(data)));
    const mean = (bytes: Buffer): number => bytes.reduce((a, b) => a + b, 0) / bytes.length;
    expect(Math.abs(mean(hidden) - 127.5)).toBeLessThan(3);
  });

  it("is another topology: merged nodes, decoys that the result needs, more edges", () => {
    const made = obfuscate(model, [x], { ...FAST, seed: 2, decoys: 0.8 });
    const { nodes, decoys, edges } = made.report;
    expect(decoys).toBeGreaterThan(0);
    expect(nodes.after - decoys).toBeLessThan(nodes.before);
    expect(edges.after / nodes.after).toBeGreaterThan(edges.before / nodes.before);
    expect(eliminateDeadCode(made.graph).nodes.length).toBe(nodes.after);
    const restored = restore(made.graph);
    expect(opsOf(restored)).toEqual(opsOf(parsed(freeze(capture((v: Tensor) => model.forward(v), x)))));
  });

  it("is the same op under several names, each with operands in an order of its own", () => {
    const made = obfuscate(model, [x], { ...FAST, seed: 4, merge: 1, decoys: 0, share: 2 });
    const matmuls = made.library.ops.filter(({ core }) => core.nodes[0].op.name === "matmul");
    const uses = (name: string): number => made.graph.nodes.filter(({ op }) => op.name === name).length;
    expect(matmuls.length).toBeGreaterThanOrEqual(5);
    expect(Math.max(...matmuls.map(({ name }) => uses(name)))).toBeLessThanOrEqual(2);
    expect(new Set(matmuls.map(({ face }) => JSON.stringify(face.inputs))).size).toBeGreaterThan(1);
    expect(made.report.types.after).toBeGreaterThan(made.report.types.merged);
  });

  it("is the same with the same seed, and another with another", () => {
    const of = (seed: number): Buffer => {
      const { graph, library } = obfuscate(model, [x], { ...FAST, seed });
      return Buffer.concat([deploy.encodeModelFile(graph), encodeLibrary(library)]);
    };
    expect(of(7).equals(of(7))).toBe(true);
    expect(of(7).equals(of(8))).toBe(false);
    const without = (): Buffer => Buffer.from(encodeLibrary(obfuscate(model, [x], FAST).library));
    expect(without().equals(without())).toBe(false);
  });

  it("costs what the report says", () => {
    const { report, graph, library } = obfuscate(model, [x], { runs: 2 });
    expect(report.fileBytes.after).toBe(deploy.encodeModelFile(graph).length);
    expect(report.fileBytes.library).toBe(encodeLibrary(library).length);
    expect(report.costs?.obfuscated.peakBytes).toBeGreaterThan(report.costs?.original.peakBytes as number);
    for (const side of ["original", "obfuscated", "restored"] as const)
      expect(report.costs?.[side].milliseconds).toBeGreaterThan(0);
  });
});

describe("op libraries", () => {
  const f = (x: Tensor) =>
    x
      .matmul(new Generator(1).normal([4, 4]))
      .relu()
      .matmul(ones([4, 2]))
      .tanh();
  const x = new Generator(2).normal([3, 4]);
  const made = obfuscate(f, [x], { ...FAST, seed: 3 });

  it("and models go through files, encrypted or not", async () => {
    const [model, library] = [join(folder, "m.mlsys"), join(folder, "m.ops")];
    const key = deploy.generateKey();
    await deploy.saveModel(model, made.graph, [], { key });
    await deploy.saveLibrary(library, made.library, { key });
    expect(readFileSync(library).includes("matmul")).toBe(false);
    const opened = deploy.openModel(model, { key, library: deploy.openLibrary(library, { key }) });
    expectClose(opened.call(x), [f(x)], 1e-6);
    expectClose(compile(restore(opened.graph)).run([x]), [f(x)], 1e-6);
    opened.close();
    await deploy.saveLibrary(library, made.library);
    expect(deploy.openLibrary(library).names).toEqual(made.library.names);
    expect(() => deploy.openLibrary(library, { key })).toThrow(/it is not encrypted/);
  });

  it("of another model do not fit, and none is not enough", () => {
    const bytes = deploy.encodeModelFile(made.graph);
    const other = obfuscate(f, [x], { ...FAST, seed: 4 }).library;
    expect(() => deploy.decodeModelFile(bytes, "m", { library: other })).toThrow(
      /m: .*the op library has no op "x[0-9a-f]{12}": it is another model's/,
    );
    expect(() => deploy.decodeModelFile(bytes, "m")).toThrow(/m: .*unknown op "x[0-9a-f]{12}"/);
    expect(() => restore(freeze(capture((v: Tensor) => v.mul(2), x)))).toThrow(
      /the graph was not obfuscated/,
    );
  });

  it("that are damaged come to one error", () => {
    const good = encodeLibrary(made.library);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        (changes) => {
          const bytes = good.slice();
          for (const [at, to] of changes) bytes[at] = to;
          try {
            const library = decodeLibrary(bytes, "l");
            deploy.decodeModelFile(deploy.encodeModelFile(made.graph), "m", { library }).call(x);
          } catch (error) {
            expect(error, String((error as Error).stack)).toBeInstanceOf(MlsysError);
          }
        },
      ),
      { numRuns: 150 },
    );
    const document = JSON.parse(new TextDecoder().decode(good));
    const at = document.ops.findIndex((op: { face: { weights: unknown } }) => op.face.weights !== null);
    const changed = (
      change: (face: Record<string, never>, op: Record<string, unknown>) => void,
    ): Uint8Array => {
      const copy = structuredClone(document);
      change(copy.ops[at].face, copy.ops[at]);
      return new TextEncoder().encode(JSON.stringify(copy));
    };
    const wrong: [Uint8Array, RegExp][] = [
      [new Uint8Array([1, 2]), /l: not an op library: it is no JSON/],
      [new TextEncoder().encode("null"), /"format": "mlsys-op-library" was expected/],
      [new TextEncoder().encode('{"format":"mlsys-op-library","version":9}'), /it has version 9/],
      [new TextEncoder().encode('{"format":"mlsys-op-library","version":1}'), /its ops are missing/],
      [changed((_, op) => delete op.name), /has no name/],
      [changed((_, op) => delete op.face), /interface of op x\w+ is damaged: lists are missing/],
      [changed((face) => Object.assign(face.weights, { step: 0 })), /damaged: the weights/],
      [changed((face) => Object.assign(face.weights, { parts: [1e9] })), /damaged: the weights/],
      [changed((face) => Object.assign(face, { inputs: [] })), /damaged: its operands/],
      [changed((face) => Object.assign(face, { outputs: [["spare"]] })), /damaged: its results/],
    ];
    for (const [bytes, message] of wrong) {
      expect(() => decodeLibrary(bytes, "l")).toThrow(message);
      expect(() => decodeLibrary(bytes, "l")).toThrow(ModelFileError);
    }
  });

  it("are asked for within their range", () => {
    expect(() => obfuscate(f, [x], { merge: 0 })).toThrow(/merge is 0, at least 1 was expected/);
    expect(() => obfuscate(f, [x], { share: 1.5 })).toThrow(/share is 1.5/);
    expect(() => obfuscate(f, [x], { decoys: 2 })).toThrow(/share of decoys is 2, 0 to 1/);
    expect(() => obfuscate(f, [x], { runs: -1 })).toThrow(/-1 is no number of runs/);
    expect(() => obfuscate((v: Tensor) => v.mul(2), ["float32(n)"])).toThrow(
      /sizes that are left open|open sizes/,
    );
  });
});

describe("disguises", () => {
  it("can be undone to the bit", () => {
    fc.assert(
      fc.property(
        fc.int32Array({ maxLength: 200 }),
        fc.int32Array({ maxLength: 40 }),
        fc.nat(),
        (words, added, seed) => {
          const places = randomPlaces(words.length, new Dice(seed));
          const hidden = disguise(words, places, added);
          expect([...undisguise(hidden, places, added)]).toEqual([...words]);
        },
      ),
    );
    expect([...noise(Buffer.alloc(32), Buffer.alloc(16), 2)]).toEqual([0x78c095dc, 0x898940a2 | 0]); // AES-256 of zeros: dc95c078 a2408989
  });
});
