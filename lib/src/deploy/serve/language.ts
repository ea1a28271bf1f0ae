/** A generation engine as a model of the server: names of parameters, and errors as the protocols know them. */
import { ValueError } from "../../core/errors.js";
import { type GenerationEngine, type GenerationRequest, QueueFullError } from "../generate/engine.js";
import { quoted, ServeError } from "./errors.js";
import type { StreamedToken, TokenModel, TokenRequest } from "./tokens.js";

export interface LanguageModelOptions extends Pick<TokenModel, "tokenizer" | "maxTokens" | "defaultTokens"> {
  /** Tokens behind which generation ends unless a request says `ignore_eos`. */
  readonly stopTokens?: readonly number[];
}

/** Parameters that clients send, as vLLM's server names them, and what the engine calls them. */
const NAMES: Readonly<Record<string, keyof GenerationRequest>> = {
  temperature: "temperature",
  top_k: "topK",
  top_p: "topP",
  repetition_penalty: "repetitionPenalty",
  seed: "seed",
  logprobs: "logprobs",
};
/** Parameters that are about the request, not about the model. */
const ELSEWHERE = new Set(["prompt", "maxTokens", "ignore_eos", "priority", "sequence_id"]);

/**
 * Lets a server answer with a generation engine: `generate`, `generate_stream` and gRPC's `ModelStreamInfer`. Parameters:
 * `temperature`, `top_k`, `top_p`, `repetition_penalty`, `seed`, `logprobs`, `ignore_eos`. A full queue is 429.
 * @example
 * const engine = new deploy.GenerationEngine(new nn.CausalLM({ vocabulary: 50, context: 32, size: 16, depth: 1, heads: 2 }));
 * const server = await deploy.serve({ models: { small: deploy.languageModel(engine) } });
 * const { tokens } = await deploy.client(server.url).generate("small", [1, 2], { maxTokens: 3 });
 * await server.close();
 * engine.close();
 * tokens.length // 3
 */
export function languageModel(engine: GenerationEngine, options: LanguageModelOptions = {}): TokenModel {
  const { stopTokens = [], ...rest } = options;
  return {
    maxTokens: engine.model.context,
    ...rest,
    engine: {
      submit(request, signal): AsyncIterable<StreamedToken> {
        const asked = asRequest(request, stopTokens);
        try {
          return answered(engine.submit(asked, signal));
        } catch (error) {
          throw asServeError(error);
        }
      },
    },
  };
}

function asRequest(request: TokenRequest, stopTokens: readonly number[]): GenerationRequest {
  const found: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(request)) {
    if (ELSEWHERE.has(name)) continue;
    const own = Object.hasOwn(NAMES, name) ? NAMES[name] : undefined;
    if (own === undefined)
      throw new ServeError(
        "INVALID_ARGUMENT",
        `there is no parameter ${quoted(name)}; known: ${Object.keys(NAMES).join(", ")}, max_tokens, ignore_eos`,
      );
    const type = own === "logprobs" ? "boolean" : "number";
    if (typeof value !== type)
      throw new ServeError(
        "INVALID_ARGUMENT",
        `${name} is a ${type === "number" ? "number" : "truth value"}, got ${quoted(value)}`,
      );
    found[own] = value;
  }
  const { prompt, maxTokens, ignore_eos: goOn } = request;
  return { ...found, prompt, maxTokens, stopTokens: goOn === true ? [] : stopTokens };
}

/** The engine's tokens, without the mark that says that a request was called off. */
async function* answered(
  tokens: ReturnType<GenerationEngine["submit"]>,
): AsyncGenerator<StreamedToken, void> {
  try {
    for await (const item of tokens) if (item.finish !== "cancelled") yield { ...item };
  } catch (error) {
    throw asServeError(error);
  }
}

function asServeError(error: unknown): unknown {
  if (error instanceof QueueFullError)
    return new ServeError("RESOURCE_EXHAUSTED", error.message, { cause: error, retryAfter: 1 });
  if (error instanceof ValueError) return new ServeError("INVALID_ARGUMENT", error.message, { cause: error });
  return error;
}
