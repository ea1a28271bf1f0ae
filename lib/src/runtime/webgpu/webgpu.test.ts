import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { allocate, memory } from "../heap.js";
import { S } from "./protocol.js";
import { floatBits, type GpuBuffer, type GpuQueue, type Shader } from "./queue.js";
import { describeAdapter, gpu, openGpu } from "./start.js";
import { installedDrivers, prepareVulkan } from "./vulkan.js";

const opened = openGpu();
const there = typeof opened !== "string";
const N = 256;

const SCALE: Shader = {
  label: "scale",
  bindings: "rwu",
  wgsl: `struct Uniform { n: u32, f: f32 };
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> u: Uniform;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) g: vec3u) {
  if (g.x < u.n) { y[g.x] = x[g.x] * u.f; }
}`,
};

const heap = (floats: number): [number, Float32Array] => {
  const ptr = allocate(floats * 4);
  return [ptr, new Float32Array(memory.buffer, ptr, floats)];
};

describe("what Dawn needs", () => {
  it("is a driver: those that are named, or the system's", () => {
    expect(installedDrivers({ VK_ICD_FILENAMES: "/a.json:/b.json" })).toEqual(["/a.json", "/b.json"]);
    expect(installedDrivers({ VK_DRIVER_FILES: "/c.json", VK_ICD_FILENAMES: "/a.json" })).toEqual([
      "/c.json",
    ]);
    expect(installedDrivers({}).every((file) => file.endsWith(".json"))).toBe(true);
  });

  it.skipIf(process.platform !== "linux")("says which named driver is not there", () => {
    const before = process.env.VK_ICD_FILENAMES;
    process.env.VK_ICD_FILENAMES = "/nowhere/driver.json";
    try {
      expect(prepareVulkan()).toContain("/nowhere/driver.json");
    } finally {
      if (before === undefined) delete process.env.VK_ICD_FILENAMES;
      else process.env.VK_ICD_FILENAMES = before;
    }
  });

  it("says that a software adapter is one", () => {
    const facts = { vendor: "v", architecture: "a", device: "d", description: "e", features: [] };
    const rest = { limits: {}, subgroupSizes: [4, 4] as const };
    expect(describeAdapter({ ...facts, ...rest, software: true })).toContain("software adapter");
    expect(describeAdapter({ ...facts, ...rest, software: false })).toBe("d through Dawn");
  });
});

if (!there) describe("a GPU's queue", () => it.skip(`no adapter here: ${opened}`, () => {}));
else
  describe("a GPU's queue", () => {
    const withBuffers = (count: number, body: (buffers: GpuBuffer[], queue: GpuQueue) => void): void => {
      const queue = gpu();
      const buffers = Array.from({ length: count }, () => queue.allocate(N * 4));
      try {
        body(buffers, queue);
      } finally {
        for (const buffer of buffers) queue.release(buffer);
      }
    };

    it("brings bytes there and back, and runs shaders on them in order", () =>
      withBuffers(3, ([a, b, c], queue) => {
        const [ptr, values] = heap(N);
        values.forEach((_, i) => {
          values[i] = i;
        });
        queue.upload(ptr, N * 4, a);
        values.fill(0); // what was uploaded may change at once
        queue.dispatch(SCALE, [a, b], [N, floatBits(2.5)], [N / 64]);
        queue.dispatch(SCALE, [b, c], [N, floatBits(2)], [N / 64]);
        queue.download(c, N * 4, ptr);
        expect([...values]).toEqual(Array.from({ length: N }, (_, i) => i * 5));
      }));

    it("sends many commands at once, and waits only where bytes are read", () =>
      withBuffers(2, ([a, b], queue) => {
        const [ptr, values] = heap(N);
        values.fill(1);
        queue.finish();
        const before = { ...queue.counts };
        queue.upload(ptr, N * 4, a);
        for (let i = 0; i < 100; i++) queue.dispatch(SCALE, [a, b], [N, floatBits(i)], [N / 64]);
        expect(queue.counts).toMatchObject({ batches: before.batches, dispatches: before.dispatches + 100 });
        queue.download(b, N * 4, ptr);
        expect(queue.counts.batches).toBe(before.batches + 1);
        expect(values[N - 1]).toBe(99);
      }));

    it("keeps the order of uploads and of shaders that read what they overwrite", () =>
      withBuffers(2, ([a, b], queue) => {
        const [ptr, values] = heap(N);
        for (let i = 1; i <= 5; i++) {
          values.fill(i);
          queue.upload(ptr, N * 4, a);
          queue.dispatch(SCALE, [a, b], [i === 1 ? N : 1, floatBits(10)], [N / 64]);
        }
        queue.download(b, N * 4, ptr);
        expect([values[0], values[1]]).toEqual([50, 10]);
      }));

    it("hands a buffer on at once: commands that use it come first", () => {
      const queue = gpu();
      const [ptr, values] = heap(N);
      const out = queue.allocate(N * 4);
      for (let i = 0; i < 20; i++) {
        const x = queue.allocate(N * 4);
        values.fill(i);
        queue.upload(ptr, N * 4, x);
        queue.dispatch(SCALE, [x, out], [i === 0 ? N : N - i, floatBits(1)], [N / 64]);
        queue.release(x);
      }
      queue.download(out, N * 4, ptr);
      expect(Array.from({ length: 20 }, (_, i) => values[N - 1 - i])).toEqual(
        Array.from({ length: 20 }, (_, i) => (i === 0 ? 0 : i)),
      );
      queue.release(out);
    });

    it("copies and clears", () =>
      withBuffers(2, ([a, b], queue) => {
        const [ptr, values] = heap(N);
        values.fill(3);
        queue.upload(ptr, N * 4, a);
        queue.clear(b, 0, N * 4);
        queue.copy(a, 0, b, 16, 32);
        queue.download(b, N * 4, ptr);
        expect([...values.subarray(0, 14)]).toEqual([0, 0, 0, 0, 3, 3, 3, 3, 3, 3, 3, 3, 0, 0]);
      }));

    it("reads without blocking, too", async () => {
      const queue = gpu();
      const [ptr, values] = heap(N);
      values.fill(4);
      const a = queue.allocate(N * 4);
      queue.upload(ptr, N * 4, a);
      const reads = [queue.read(a, 16), queue.read(a, 6)];
      expect((await Promise.all(reads)).map((bytes) => bytes.byteLength)).toEqual([16, 6]);
      expect([...new Float32Array(await reads[0])]).toEqual([4, 4, 4, 4]);
      queue.release(a);
    });

    it("says where a shader is not valid, names the op, and goes on", () =>
      withBuffers(2, ([a, b], queue) => {
        const broken = { ...SCALE, label: "broken op", wgsl: SCALE.wgsl.replace("u.f;", "u.nothing;") };
        queue.dispatch(broken, [a, b], [N, 0], [1]);
        expect(() => queue.finish()).toThrow(/webgpu: broken op: .*line 6, column \d+: .*nothing/);
        const wide = { ...SCALE, label: "wide op", wgsl: SCALE.wgsl.replace("(64)", "(60000)") };
        queue.dispatch(wide, [a, b], [N, 0], [1]);
        const [ptr, values] = heap(N);
        expect(() => queue.download(b, 4, ptr)).toThrow(/wide op/);
        values.fill(2);
        queue.upload(ptr, N * 4, a);
        queue.dispatch(SCALE, [a, b], [N, floatBits(2)], [N / 64]);
        queue.download(b, N * 4, ptr);
        expect(values[N - 1]).toBe(4);
      }));

    it("tells what nobody waited for at the next chance", async () => {
      const queue = gpu();
      const a = queue.allocate(64);
      queue.prepare({ ...SCALE, label: "ahead", wgsl: "no shader" });
      queue.flush();
      let error: unknown;
      for (let i = 0; i < 20_000 && !error; i++) {
        try {
          queue.check(a);
        } catch (thrown) {
          error = thrown;
        }
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      expect(String(error)).toContain("ahead");
      queue.release(a);
    });

    it("refuses what is wrong before it is sent", () =>
      withBuffers(2, ([a, b], queue) => {
        const { maxComputeWorkgroupsPerDimension: most } = queue.facts.limits;
        expect(() => queue.dispatch(SCALE, [a, a], [N, 0], [1])).toThrow(/scale: binding 1 is written/);
        expect(() => queue.dispatch(SCALE, [a, b], [N, 0], [most + 1])).toThrow(/workgroups/);
        expect(() => queue.allocate(queue.largestBuffer + 1)).toThrow(/more than this adapter binds/);
        const foreign = { ...a, owner: { lost: "it was closed" } as GpuQueue };
        expect(() => queue.upload(0, 4, foreign)).toThrow(/device that is gone: it was closed/);
      }));

    it("times dispatches where the adapter can", () =>
      withBuffers(2, ([a, b], queue) => {
        if (!queue.facts.features.includes("timestamp-query")) return;
        const times = queue.timed(() => {
          for (let i = 0; i < 3; i++) queue.dispatch(SCALE, [a, b], [N, 0], [N / 64]);
        });
        expect(times.map(({ label }) => label)).toEqual(["scale", "scale", "scale"]);
        expect(times.every(({ nanoseconds }) => nanoseconds >= 0)).toBe(true);
        expect(queue.timed(() => {})).toEqual([]);
      }));

    it("says that a device was lost, refuses what was on it, and starts anew", () => {
      const queue = gpu();
      const a = queue.allocate(64);
      const { status } = queue as unknown as { status: Int32Array };
      Atomics.store(status, S.STATE, 3);
      expect(() => queue.allocate(64)).toThrow("webgpu: the device was lost; its tensors are lost with it");
      const next = gpu();
      expect(next).not.toBe(queue);
      expect(() => next.upload(0, 4, a)).toThrow("the tensor was on a device that is gone");
      queue.release(a); // its owner is gone: nothing to do
      const [ptr, values] = heap(N);
      values.fill(5);
      const b = next.allocate(N * 4);
      next.upload(ptr, N * 4, b);
      next.dispatch(SCALE, [b, next.allocate(N * 4)], [N, 0], [N / 64]);
      next.download(b, N * 4, ptr);
      expect(values[0]).toBe(5);
      queue.close();
    });

    describe("interrupted between two statements", () => {
      /** Throws where an interrupt might come: before a batch is sent, or right behind. */
      const interrupted = (queue: GpuQueue, when: "before" | "behind", body: () => void): void => {
        const inner = queue as unknown as { post(batch: unknown): void };
        const post = inner.post.bind(queue);
        inner.post = (batch) => {
          if (when === "behind") post(batch);
          throw new Error("interrupted");
        };
        try {
          expect(body).toThrow("interrupted");
        } finally {
          inner.post = post;
        }
      };

      it.each(["before", "behind"] as const)("%s a batch is sent: it runs once", (when) =>
        withBuffers(2, ([a, b], queue) => {
          const [ptr, values] = heap(N);
          values.fill(1);
          const add: Shader = {
            label: "add",
            bindings: "rw",
            wgsl: SCALE.wgsl.split("\n").filter((line) => !/Uniform|uniform/.test(line)).join("\n")
              .replace("if (g.x < u.n) { y[g.x] = x[g.x] * u.f; }", "y[g.x] += x[g.x];"),
          }; // biome-ignore format: one text
          queue.upload(ptr, N * 4, a);
          queue.clear(b, 0, N * 4);
          queue.dispatch(add, [a, b], [], [N / 64]);
          interrupted(queue, when, () => queue.finish());
          queue.dispatch(add, [a, b], [], [N / 64]);
          queue.download(b, N * 4, ptr);
          expect([values[0], values[N - 1]]).toEqual([2, 2]);
        }),
      );
    });

    describe.skipIf(!existsSync(fileURLToPath(new URL("../../../dist/index.js", import.meta.url))))(
      "and its process",
      () => {
        const run = (text: string): string => {
          const folder = mkdtempSync(join(tmpdir(), "mlsys-webgpu-"));
          const entry = new URL("../../../dist/index.js", import.meta.url).href;
          const start = `import { ones, setDevice, devices } from "${entry}"; setDevice("webgpu"); const x = ones([256, 256]); let y = x; for (let i = 0; i < 20; i++) y = y.matmul(x).mul(1 / 256);`;
          writeFileSync(join(folder, "main.mjs"), `${start}\n${text}`);
          try {
            return execFileSync(process.execPath, [join(folder, "main.mjs")], {
              encoding: "utf8",
              stdio: ["ignore", "pipe", "pipe"],
            });
          } finally {
            rmSync(folder, { recursive: true });
          }
        };

        it("ends by itself, with work left", () => expect(run('console.log("end")')).toBe("end\n"), 120_000);
        it("keeps its values when it is interrupted at any moment", () => {
          const text = `
import { Session } from "node:inspector";
import { Worker } from "node:worker_threads";
globalThis.ones = ones;
globalThis.small = ones([3]);
const session = new Session();
session.connect();
const evaluate = (expression) => new Promise((resolve) => session.post("Runtime.evaluate", { expression, returnByValue: true },
  (error, result) => resolve(error ? error.message : JSON.stringify(result.exceptionDetails?.text ?? result.result.value))));
const other = new Worker(\`const { Session } = require("node:inspector"); const { parentPort } = require("node:worker_threads");
  const s = new Session(); s.connectToMainThread();
  parentPort.on("message", (ms) => setTimeout(() => s.post("Runtime.terminateExecution", () => {}), ms)); parentPort.postMessage("ready");\`, { eval: true });
await new Promise((resolve) => other.once("message", resolve));
const found = new Set();
for (let i = 0; i < 20; i++) {
  other.postMessage(i);
  found.add(await evaluate("for (let i = 0; ; i++) small.add(i).toArray();"));
  found.add(await evaluate("small.mul(3).toArray()"));
}
console.log([...found].sort().join("; "));
process.exit(0);`;
          expect(run(text).trim()).toMatch(/^.*terminated.*; \[3,3,3\]$/i);
        }, 120_000);
        it(
          "ends by process.exit",
          () => expect(run("console.log(y.sum().item() / 65536); process.exit(0);")).toBe("1\n"),
          120_000,
        );
      },
    );
  });
