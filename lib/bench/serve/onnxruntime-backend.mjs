// ONNX Runtime as a backend of this library's server: the same queue, batches and protocol, other kernels.
import { onnxruntime } from "../peers/install.mjs";

const DATATYPES = { float32: "FP32" };

export async function load({ options: { model }, threads }) {
  const ort = onnxruntime();
  const session = await ort.InferenceSession.create(model, {
    graphOptimizationLevel: "all",
    logSeverityLevel: 4,
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
  });
  const specs = (list) =>
    list.map(({ name, type, shape }) => ({
      name,
      datatype: DATATYPES[type],
      shape: shape.map((dim) => (typeof dim === "number" ? dim : -1)),
    }));
  const outputs = specs(session.outputMetadata);
  return {
    platform: "onnxruntime",
    inputs: specs(session.inputMetadata),
    outputs,
    run: async (inputs) => {
      const feeds = Object.fromEntries(
        inputs.map(({ name, shape, data }) => {
          const own = data.byteOffset % 4 === 0 ? data : new Uint8Array(data);
          const elements = new Float32Array(own.buffer, own.byteOffset, own.length / 4);
          return [name, new ort.Tensor("float32", elements, shape)];
        }),
      );
      const found = await session.run(feeds);
      return outputs.map(({ name, datatype }) => {
        const { data, dims } = found[name];
        return {
          name,
          datatype,
          shape: dims,
          data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
        };
      });
    },
    close: () => session.release(),
  };
}
