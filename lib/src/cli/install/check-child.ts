/** Run by `check`: loads the package in a folder, multiplies two matrices, and prints what it found as one JSON line. */
import { requireTfjs } from "../../runtime/tfjs/load.js";

const [folder, name] = process.argv.slice(2);
const tf = requireTfjs(folder, name);
const a = tf.tensor(Float32Array.from([1, 2, 3, 4]), [2, 2], "float32");
const product = [...tf.matMul(a, a).dataSync()];
const { binding, isUsingGpuDevice } = tf.backend() as {
  binding?: { TF_Version?: string };
  isUsingGpuDevice?: boolean;
};
process.stdout.write(
  `${JSON.stringify({ product, tensorflow: binding?.TF_Version ?? "", gpu: isUsingGpuDevice ?? false })}\n`,
);
