/** Models that answer token by token: what the server asks of an engine, and a request of one checked. */
import { quoted, ServeError } from "./errors.js";
import type { Parameters, RequestContext } from "./request.js";

export interface TokenRequest {
  /** Ids of the prompt's tokens. */
  readonly prompt: readonly number[];
  readonly maxTokens: number;
  /** Whatever else the client has sent: `temperature`, `seed` … */
  readonly [parameter: string]: unknown;
}

export interface StreamedToken {
  readonly token: number;
  /** Whatever else the engine says of it; numbers, text and truth values are passed on. */
  readonly [property: string]: unknown;
}

/** An engine that generates: a stream for each request, which ends early when `signal` is aborted. */
export interface TokenStream {
  submit(request: TokenRequest, signal: AbortSignal): AsyncIterable<StreamedToken>;
}

/** A model that is served by `generate`, `generate_stream` and gRPC's `ModelStreamInfer`. */
export interface TokenModel {
  readonly engine: TokenStream;
  /** For clients that send text. */
  readonly tokenizer?: {
    encode(text: string): readonly number[];
    decode(tokens: readonly number[]): string;
  };
  /** Most tokens that a client may ask for, and how many it gets without asking. Default 1024 and 64. */
  readonly maxTokens?: number;
  readonly defaultTokens?: number;
}

/** What a client asks for, however it came: token ids or text, and parameters. */
export interface GenerateRequest {
  readonly prompt?: unknown;
  readonly text?: unknown;
  readonly parameters: Parameters;
}

/** Names that requests set themselves. */
const OWN = new Set(["prompt", "maxTokens", "max_tokens", "timeout", "stream", "__proto__"]);

/** Longest prompt, in tokens. */
const MOST_PROMPT = 1 << 20;

const refuse = (problem: string): never => {
  throw new ServeError("INVALID_ARGUMENT", problem);
};

/** @throws ServeError INVALID_ARGUMENT naming the field. */
export function tokenRequest(
  label: string,
  model: TokenModel,
  { prompt, text, parameters }: GenerateRequest,
): TokenRequest {
  const most = model.maxTokens ?? 1024;
  const asked = parameters.max_tokens ?? Math.min(most, model.defaultTokens ?? 64);
  if (!Number.isSafeInteger(asked) || (asked as number) < 1 || (asked as number) > most)
    refuse(`${label}: max_tokens is a whole number from 1 to ${most}, got ${quoted(asked)}`);
  const rest = Object.fromEntries(Object.entries(parameters).filter(([name]) => !OWN.has(name)));
  return { ...rest, prompt: promptOf(label, model, prompt, text), maxTokens: asked as number };
}

function promptOf(
  label: string,
  { tokenizer }: TokenModel,
  prompt: unknown,
  text: unknown,
): readonly number[] {
  if ((prompt === undefined) === (text === undefined))
    return refuse(`${label}: either a prompt of token ids or text_input is expected`);
  if (text !== undefined) {
    if (typeof text !== "string") return refuse(`${label}: text_input is text, got ${quoted(text)}`);
    if (!tokenizer) return refuse(`${label} has no tokenizer: send token ids, as prompt`);
    return tokenizer.encode(text);
  }
  const isId = (id: unknown): boolean => Number.isSafeInteger(id) && (id as number) >= 0;
  if (!Array.isArray(prompt) || prompt.length === 0 || prompt.length > MOST_PROMPT || !prompt.every(isId))
    return refuse(`${label}: a prompt is a list of token ids, got ${quoted(prompt)}`);
  return prompt as number[];
}

/**
 * The tokens of a request.
 * @throws ServeError DEADLINE_EXCEEDED or CANCELLED between two tokens, or INTERNAL with what the engine threw; the engine
 *   is told by its signal.
 */
export async function* streamTokens(
  label: string,
  model: TokenModel,
  request: TokenRequest,
  { deadline, signal }: RequestContext,
): AsyncGenerator<StreamedToken, void> {
  const stop = new AbortController();
  const gone = (): void => stop.abort(new ServeError("CANCELLED", "the client is gone"));
  if (signal.aborted) gone();
  signal.addEventListener("abort", gone, { once: true });
  const left = deadline - performance.now();
  const late = (): void =>
    stop.abort(
      new ServeError("DEADLINE_EXCEEDED", `${label}: the request's time was over before its last token`),
    );
  const timer = Number.isFinite(left)
    ? setTimeout(late, Math.min(Math.max(0, left), 2 ** 31 - 1))
    : undefined;
  const ended = new Promise<never>((_, reject) => {
    const end = (): void => reject(stop.signal.reason as ServeError);
    if (stop.signal.aborted) end();
    stop.signal.addEventListener("abort", end, { once: true });
  });
  ended.catch(() => {}); // nobody may be waiting
  const tokens = model.engine.submit(request, stop.signal)[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await Promise.race([tokens.next(), ended]);
      if (next.done) return;
      yield next.value;
    }
  } catch (error) {
    if (error instanceof ServeError) throw error;
    throw new ServeError("INTERNAL", `${label}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", gone);
    stop.abort(new ServeError("CANCELLED", "the client reads no further"));
    void Promise.resolve(tokens.return?.()).catch(() => {}); // it may hang in a step; the signal has told it
  }
}
