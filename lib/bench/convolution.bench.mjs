// Convolution algorithms on layers of ResNet-50 and MobileNetV2, one thread, beside ONNX Runtime; and layers of 8-bit numbers beside
// the same in float32, and ONNX Runtime on the same quantized graph. Run by `npm run bench -- convolution`.
import { onnxruntime } from "./peers/onnxruntime.mjs";

/** Name, and sizes as `compiler.convolution.geometry` takes them. */
const LAYERS = [
  ["resnet conv1 7×7/2", { channels: 3, filters: 64, height: 224, kernel: 7, stride: 2 }],
  ["resnet 64×56² 3×3", { channels: 64, filters: 64, height: 56 }],
  ["resnet 64→256×56² 1×1", { channels: 64, filters: 256, height: 56, kernel: 1 }],
  ["resnet 128×56² 3×3/2", { channels: 128, filters: 128, height: 56, stride: 2 }],
  ["resnet 128×28² 3×3", { channels: 128, filters: 128, height: 28 }],
  ["resnet 256×14² 3×3", { channels: 256, filters: 256, height: 14 }],
  ["resnet 512×7² 3×3", { channels: 512, filters: 512, height: 7 }],
  ["mobilenet 16→96×112² 1×1", { channels: 16, filters: 96, height: 112, kernel: 1 }],
  ["mobilenet 96×112² dw/2", { channels: 96, filters: 96, height: 112, stride: 2, groups: 96 }],
  ["mobilenet 144×56² dw", { channels: 144, filters: 144, height: 56, groups: 144 }],
  ["mobilenet 160→960×7² 1×1", { channels: 160, filters: 960, height: 7, kernel: 1 }],
];
/** Rows, depth and columns of products in 8 bits. */
const PRODUCTS = [
  [1, 1024, 1024],
  [64, 768, 768],
  [128, 768, 3072],
];
const INT8_LAYERS = [1, 2, 5, 6, 7, 10];

const round = (x) => Number(x.toPrecision(3));

/** The best time of each function, in turn; milliseconds. */
async function best(functions, runs) {
  const found = functions.map(() => Number.POSITIVE_INFINITY);
  for (let i = -2; i < runs; i++)
    for (const [k, f] of functions.entries()) {
      const start = performance.now();
      await f();
      if (i >= 0) found[k] = Math.min(found[k], performance.now() - start);
    }
  return found;
}

async function session(ort, bytes) {
  return ort.InferenceSession.create(bytes, { intraOpNumThreads: 1, logSeverityLevel: 4 });
}

async function ortRun(ort, bytes, x) {
  const s = await session(ort, bytes);
  const feeds = {
    [s.inputNames[0]]: new ort.Tensor("float32", Float32Array.from(x.toTypedArray()), x.shape),
  };
  return { run: () => s.run(feeds), release: () => s.release() };
}

export async function run({ quick }) {
  const mlsys = await import("../dist/index.js");
  const { compiler, deploy, Generator, nn, setDevice, setNumThreads, tidy, getDevice, getNumThreads } = mlsys;
  const { convolution } = compiler;
  const before = [getDevice(), getNumThreads()];
  setNumThreads(1);
  const runs = quick ? 3 : 15;
  const devices = compiler.codegen.nativeAvailable() ? ["wasm", "native"] : ["wasm"];
  const missing = devices.length === 1 ? { native: "no C compiler" } : {};
  const { ort, missing: reason } = onnxruntime();
  if (reason) missing.onnxruntime = reason;
  const draw = new Generator(1);
  const rows = [];
  const notes = [];

  for (const [name, sizes] of LAYERS) {
    const g = convolution.geometry(sizes);
    const layer = new nn.Conv2d(g.channels, g.filters, g.kernel[0], {
      ...{ stride: g.stride[0], padding: g.padding[0][0], groups: g.groups, bias: false },
    });
    const x = draw.normal([1, g.channels, g.height, g.width]);
    const w = draw.normal([g.filters, g.channels / g.groups, ...g.kernel]);
    const options = { stride: g.stride, padding: g.padding[0][0], groups: g.groups };
    const ours = {};
    for (const device of devices) {
      setDevice(device);
      const report = await convolution.measureConvolution(g, { device, runs });
      const [rule] = await best([() => tidy(() => void mlsys.conv2d(x, w, options))], runs);
      ours[`${device} conv2d`] = round(rule);
      for (const t of report.timings)
        if (t.milliseconds !== null) ours[`${device} ${t.algorithm}`] = round(t.milliseconds);
      notes.push(`${name} on ${device}: ${report.fastest}.`);
    }
    const peers = {};
    if (ort) {
      const peer = await ortRun(ort, deploy.writeOnnx(layer, [x]), x);
      [peers.onnxruntime] = (await best([peer.run], runs)).map(round);
      await peer.release();
    }
    rows.push({ name, unit: "ms", better: "lower", ours, peers });
  }

  const small = [
    ...INT8_LAYERS.map((i) => {
      const [name, sizes] = LAYERS[i];
      const g = convolution.geometry(sizes);
      const layer = new nn.Conv2d(g.channels, g.filters, g.kernel[0], {
        ...{ stride: g.stride[0], padding: g.padding[0][0] },
      });
      const last = new nn.Conv2d(g.filters, 1, 1);
      return [`int8 ${name}`, layer, last, draw.normal([1, g.channels, g.height, g.width])];
    }),
    ...PRODUCTS.map(([m, k, n]) => [
      `int8 product ${m}×${k}×${n}`,
      new nn.Dense(k, n),
      new nn.Dense(n, 1),
      draw.normal([m, k]),
    ]),
  ];
  for (const [name, layer, last, x] of small) {
    const ours = {};
    // activations in front of and behind it are quantized, as in the middle of a network; a small layer ends it
    const model = new nn.Sequential(new nn.ReLU(), layer, new nn.ReLU(), last);
    const quantized = deploy.quantize(model, [x], { samples: [[x]] });
    const plain = deploy.convert(model, [x], { runs: 0 }).graph;
    for (const device of devices) {
      setDevice(device);
      const programs = [plain, quantized.integers].map((graph) =>
        mlsys.graph.compile(graph, { level: "O1" }),
      );
      const call = programs.map((program) => () => tidy(() => void program.run([x])));
      for (const f of call) f();
      await compiler.nativeKernels().ready;
      const [float, int8] = await best(call, runs);
      Object.assign(ours, { [`${device} float32`]: round(float), [`${device} int8`]: round(int8) });
    }
    const peers = {};
    if (ort) {
      const both = [];
      for (const bytes of [deploy.writeOnnx(plain), deploy.writeOnnx(quantized.graph)])
        both.push(await ortRun(ort, bytes, x));
      const found = await best(
        both.map((peer) => peer.run),
        runs,
      );
      Object.assign(peers, { "onnxruntime float32": round(found[0]), "onnxruntime int8": round(found[1]) });
      for (const peer of both) await peer.release();
    }
    rows.push({ name, unit: "ms", better: "lower", ours, peers });
  }
  setDevice(before[0]);
  setNumThreads(before[1]);
  return { rows, missing, notes };
}
