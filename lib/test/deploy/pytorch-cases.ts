/** The models of expected/onnx_models.py with their inputs and PyTorch's outputs. */
import { readdirSync } from "node:fs";
import { deploy, type Tensor, train } from "../../src/index.js";

export const modelFolder = new URL("../expected/onnx/", import.meta.url).pathname;
export const modelNames = readdirSync(modelFolder)
  .filter((name) => name.endsWith(".onnx"))
  .map((name) => name.slice(0, -5));

export interface Case {
  readonly model: deploy.OnnxModel;
  readonly inputs: Tensor[];
  readonly outputs: Tensor[];
}

export async function caseOf(name: string): Promise<Case> {
  const model = await deploy.loadOnnx(`${modelFolder}${name}.onnx`);
  const tensors = [...(await train.loadSafetensors(`${modelFolder}${name}.safetensors`))];
  const part = (prefix: string) => tensors.filter(([key]) => key.startsWith(prefix)).map(([, x]) => x);
  return { model, inputs: part("input").slice(0, model.inputs.length), outputs: part("output") };
}
