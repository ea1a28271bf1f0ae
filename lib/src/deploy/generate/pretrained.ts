/** Language models as Hugging Face's hub stores them: a folder with `config.json`, `model.safetensors` and `tokenizer.json`. */
import { existsSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { MlsysError } from "../../core/errors.js";
import type { BpeTokenizer } from "../../data/text/bpe/tokenizer.js";
import { loadTokenizer } from "../../data/text/bpe/tokenizer-json.js";
import { CausalLM } from "../../nn/causal-lm.js";
import { loadWeights } from "../weights.js";
import { gpt2Name } from "./gpt2.js";

export interface Pretrained {
  readonly model: CausalLM;
  /** `null` where the folder has none. */
  readonly tokenizer: BpeTokenizer | null;
  /** The tokens that end a text, as `config.json` says. */
  readonly stopTokens: readonly number[];
}

/** The file is no model that this library can run. */
export class PretrainedError extends MlsysError {
  override name = "PretrainedError";
}

/** Largest `config.json` that is read. */
const MOST_CONFIG = 1 << 20;

type Json = Readonly<Record<string, unknown>>;

/** Whether a folder says that it is a language model: its `config.json` has a `model_type`. */
export async function isPretrained(folder: string): Promise<boolean> {
  const file = join(folder, "config.json");
  const info = await stat(file).catch(() => null);
  if (!info?.isFile() || info.size > MOST_CONFIG) return false;
  return /"model_type"\s*:/.test(await readFile(file, "utf8"));
}

/**
 * Reads a GPT-2 (Radford et al. 2019), of any size, with its tokenizer if there is one.
 * @returns the model, for inference
 * @throws PretrainedError for another kind of model, or sizes that make no sense; MlsysError for weights that don't fit
 * @example await deploy.loadPretrained("./gpt2").catch((error) => error.message) // "gpt2/config.json: there is no such file"
 */
export async function loadPretrained(folder: string): Promise<Pretrained> {
  const config = await readConfig(join(folder, "config.json"));
  const weights = join(folder, "model.safetensors");
  if (!existsSync(weights))
    throw new PretrainedError(
      `${folder}: there is no model.safetensors; older models are converted with transformers' save_pretrained`,
    );
  const size = (name: string, otherwise?: number): number => {
    const value = config[name] ?? otherwise;
    if (!Number.isSafeInteger(value) || (value as number) < 1)
      throw new PretrainedError(
        `${folder}/config.json: ${name} is a whole number from 1, got ${JSON.stringify(value)}`,
      );
    return value as number;
  };
  const features = size("n_embd");
  const sizes = {
    vocabulary: size("vocab_size"),
    context: size("n_positions", config.n_ctx as number | undefined),
    size: features,
    depth: size("n_layer"),
    heads: size("n_head"),
    hidden: size("n_inner", 4 * features),
    dropout: 0,
    ...(typeof config.layer_norm_epsilon === "number" && { epsilon: config.layer_norm_epsilon }),
  };
  await checkBytes(weights, sizes);
  const model = new CausalLM(sizes);
  await loadWeights(weights, model.eval(), { rename: gpt2Name });
  const words = join(folder, "tokenizer.json");
  const ends = [config.eos_token_id ?? []].flat();
  return {
    model,
    tokenizer: existsSync(words) ? await loadTokenizer(words) : null,
    stopTokens: ends.filter((id): id is number => Number.isSafeInteger(id)),
  };
}

async function readConfig(file: string): Promise<Json> {
  const info = await stat(file).catch(() => null);
  if (!info?.isFile()) throw new PretrainedError(`${file}: there is no such file`);
  if (info.size > MOST_CONFIG)
    throw new PretrainedError(`${file}: ${info.size} bytes are no configuration of a model`);
  let config: Json | null;
  try {
    config = JSON.parse(await readFile(file, "utf8")) as Json | null;
  } catch (cause) {
    throw new PretrainedError(`${file}: not JSON: ${(cause as Error).message}`, { cause });
  }
  if (config?.model_type !== "gpt2")
    throw new PretrainedError(
      `${file}: model_type is ${JSON.stringify(config?.model_type)}; what can be read is "gpt2"`,
    );
  const activation = config.activation_function ?? "gelu_new";
  if (activation !== "gelu_new" && activation !== "gelu_pytorch_tanh")
    throw new PretrainedError(
      `${file}: activation_function is ${JSON.stringify(activation)}; what can be read is "gelu_new"`,
    );
  for (const name of ["scale_attn_by_inverse_layer_idx", "reorder_and_upcast_attn"])
    if (config[name] === true) throw new PretrainedError(`${file}: ${name} can't be read`);
  return config;
}

/** Sizes in a configuration may ask for more memory than the weights could fill. */
async function checkBytes(
  file: string,
  sizes: { vocabulary: number; context: number; size: number; depth: number; hidden: number },
): Promise<void> {
  const { vocabulary, context, size, depth, hidden } = sizes;
  const elements = (vocabulary + context) * size + depth * size * (4 * size + 2 * hidden);
  const { size: bytes } = await stat(file);
  if (bytes < 2 * elements)
    throw new PretrainedError(
      `${file}: ${bytes} bytes can't hold the ${elements} weights that config.json speaks of`,
    );
}
