/**
 * Whole graphs on the native device, before and after their kernels are compiled: attention against the reference device,
 * training against the WebAssembly one.
 */
import { describe, expect, it } from "vitest";
import { nativeKernels } from "../src/compiler/native/index.js";
import { sizeOf } from "../src/core/shape.js";
import {
  attention,
  graph,
  manualSeed,
  nn,
  optim,
  type Tensor,
  tensor,
  tidy,
  toStatic,
  valueAndGrad,
} from "../src/index.js";
import { getDevice, setDevice } from "../src/runtime/devices.js";
import { nativeSupport } from "../src/runtime/native/library.js";

const random = (() => {
  let state = 1;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
})();

describe.skipIf(typeof nativeSupport() === "string")(
  "graphs on the native device (needs a C compiler and koffi)",
  () => {
    it.each(["float32", "float64"] as const)(
      "attends in %s as the reference device does",
      async (dtype) => {
        const before = getDevice();
        const attend = (q: Tensor, k: Tensor, v: Tensor): Tensor => attention(q, k, v);
        const masked = (q: Tensor, k: Tensor, v: Tensor): Tensor => attention(q, k, v, { causal: true });
        const shapes = [
      [[3, 5, 65, 20], [3, 5, 70, 20], [3, 5, 70, 33]],
      [[2, 1, 300, 16], [2, 1, 400, 16], [2, 1, 400, 8]],
      [[40, 40], [60, 40], [60, 24]],
    ]; // biome-ignore format: one case a line
        try {
          for (const f of [attend, masked])
            for (const sizes of shapes) {
              if (f === masked && sizes[0].at(-2) !== sizes[1].at(-2)) sizes[0] = sizes[1];
              const given = sizes.map((shape) => Array.from({ length: sizeOf(shape) }, () => 4 * random()));
              const args = (): [Tensor, Tensor, Tensor] =>
                given.map((values, i) => tensor(values, { dtype, shape: sizes[i] })) as [
                  Tensor,
                  Tensor,
                  Tensor,
                ];
              setDevice("cpu");
              const wanted = f(...args()).host().data;
              setDevice("native");
              const executable = graph.compile(graph.capture(f, ...args()));
              for (const round of [0, 1]) {
                const found = executable.run(args())[0].host().data;
                const worst = wanted.reduce((most, y, i) => Math.max(most, Math.abs(y - found[i])), 0);
                expect(worst, `round ${round}, ${JSON.stringify(sizes)}`).toBeLessThan(
                  dtype === "float32" ? 1e-4 : 1e-12,
                );
                await nativeKernels().ready;
              }
            }
        } finally {
          setDevice(before);
        }
      },
      600_000,
    );

    it("trains as the WebAssembly device does, before and after its kernels are compiled", async () => {
      const before = getDevice();
      const train = async (device: string): Promise<number[]> => {
        setDevice(device);
        manualSeed(3);
        const model = new nn.Sequential(
          new nn.Conv2d(1, 8, 3, { padding: 1 }),
          new nn.ReLU(),
          new nn.MaxPool2d(2),
          new nn.Flatten(),
          new nn.LayerNorm(8 * 14 * 14),
          new nn.Dense(8 * 14 * 14, 10),
        );
        const optimizer = new optim.Adam(model, { lr: 1e-3 });
        const step = toStatic((x: Tensor, y: Tensor) => {
          const [loss, gradients] = valueAndGrad((m: typeof model) => nn.crossEntropy(m.forward(x), y))(
            model,
          );
          optimizer.step(gradients);
          return loss;
        });
        const x = tensor(
          Float32Array.from({ length: 16 * 784 }, (_, i) => Math.sin(i * i)),
          {
            shape: [16, 1, 28, 28],
          },
        );
        const y = tensor(
          Array.from({ length: 16 }, (_, i) => i % 10),
          { dtype: "int32" },
        );
        const losses: number[] = [];
        for (let i = 0; i < 12; i++) {
          losses.push(tidy(() => step(x, y).item() as number));
          if (i === 3 && device === "native") await nativeKernels().ready;
        }
        return losses;
      };
      try {
        const wanted = await train("wasm");
        const found = await train("native");
        found.forEach((loss, i) => {
          expect(Math.abs(loss - wanted[i]), `step ${i}: ${loss}, not ${wanted[i]}`).toBeLessThan(
            2e-3 * (1 + i),
          );
        });
        expect(wanted[11]).toBeLessThan(wanted[0]);
      } finally {
        setDevice(before);
      }
    }, 600_000);
  },
);
