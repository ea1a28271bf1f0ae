// The server under load, in a process of its own: each network by this library and by ONNX Runtime, with batches and without.
import { deploy, devices, nn } from "../../dist/index.js";

const { Sequential, Conv2d, ReLU, MaxPool2d, Flatten, Dense } = nn;
const NETWORKS = {
  mlp: [new Sequential(new Dense(784, 256), new ReLU(), new Dense(256, 10)), "float32(n, 784)"],
  cnn: [
    new Sequential(
      ...[new Conv2d(1, 16, 3, { padding: 1 }), new ReLU(), new MaxPool2d(2)],
      ...[new Conv2d(16, 32, 3, { padding: 1 }), new ReLU(), new MaxPool2d(2)],
      ...[new Flatten(), new Dense(32 * 49, 10)],
    ),
    "float32(n, 1, 28, 28)",
  ],
};
const FORMS = { batches: { maxBatch: 32 }, single: false };

const withOrt = process.argv[2] === "onnxruntime";
const ours = ["wasm", "native"].filter((name) => devices().some((d) => d.name === name && d.available));
const models = {};
for (const [name, [net, type]] of Object.entries(NETWORKS)) {
  const bytes = deploy.writeOnnx(net.eval(), [type], { inputNames: ["x"], outputNames: ["y"] });
  for (const [form, batching] of Object.entries(FORMS)) {
    for (const device of ours) models[`${name}-${device}-${form}`] = { bytes, batching, threads: 1, device };
    if (withOrt)
      models[`${name}-onnxruntime-${form}`] = {
        backend: new URL("./onnxruntime-backend.mjs", import.meta.url),
        options: { model: bytes },
        batching,
        threads: 1,
      };
  }
}
const server = await deploy.serve({ models, grpcPort: false });
process.on("message", () => void server.close().then(() => process.exit(0)));
process.send({ url: server.url, ours });
