/** Text in, text out: the engine behind a tokenizer. */
import { ValueError } from "../../core/errors.js";
import { tokenBytes } from "../../data/text/bpe/byte-level.js";
import type { BpeTokenizer } from "../../data/text/bpe/tokenizer.js";
import type { GenerationEngine } from "./engine.js";
import type { SamplingParams } from "./sampler.js";
import type { FinishReason, GeneratedToken } from "./stream.js";

export interface TextParams extends SamplingParams {
  /** Texts before which generation ends; they are no part of the output. */
  readonly stop?: readonly string[];
}

export interface TextChunk {
  /** Whole characters. Empty only in the last chunk. */
  readonly text: string;
  /** Tokens generated so far. */
  readonly tokens: number;
  /** In the last one. */
  readonly finish?: FinishReason;
}

/**
 * Streams text. Characters that take several tokens come whole; special tokens have no text.
 * @example
 * const tokenizer = data.trainBpe(["to be or not to be"], { vocabSize: 262 });
 * const sizes = { vocabulary: tokenizer.vocabSize, context: 32, size: 16, depth: 1, heads: 2 };
 * const engine = new deploy.GenerationEngine(new nn.CausalLM({ ...sizes, generator: new Generator(1) }));
 * const generator = new deploy.TextGenerator(engine, tokenizer);
 * let text = "";
 * for await (const chunk of generator.generate("to be", { maxTokens: 4, seed: 1 })) text += chunk.text;
 * engine.close();
 * text.length > 0 // true
 */
export class TextGenerator {
  private readonly special: ReadonlySet<number | undefined>;

  constructor(
    readonly engine: GenerationEngine,
    readonly tokenizer: BpeTokenizer,
  ) {
    this.special = new Set((tokenizer.model.special ?? []).map((token) => tokenizer.id(token)));
  }

  /**
   * What follows the prompt. The request is in the queue when this returns.
   * @throws as `engine.submit`; ValueError for an empty stop text
   */
  generate(
    prompt: string,
    { stop = [], ...params }: TextParams = {},
    signal?: AbortSignal,
  ): AsyncGenerator<TextChunk, void, undefined> {
    if (stop.includes("")) throw new ValueError("generation: a stop text is empty");
    const stream = this.engine.submit({ ...params, prompt: this.tokenizer.encode(prompt) }, signal);
    return this.read(stream, stop);
  }

  private async *read(
    stream: AsyncIterable<GeneratedToken>,
    stop: readonly string[],
  ): AsyncGenerator<TextChunk, void, undefined> {
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    let held = "";
    for await (const { token, index, finish } of stream) {
      const tokens = finish === "cancelled" ? index : index + 1;
      if (token >= 0) held += decoder.decode(this.bytes(token), { stream: true });
      if (finish) held += decoder.decode();
      const found = firstOf(stop, held);
      if (found >= 0) {
        yield { text: held.slice(0, found), tokens, finish: "stop" };
        return; // leaves the stream, which gives the blocks back
      }
      const ready = finish ? held.length : held.length - beginning(stop, held);
      const text = held.slice(0, ready);
      held = held.slice(ready);
      if (finish) yield { text, tokens, finish };
      else if (text !== "") yield { text, tokens };
    }
  }

  /** A model may have more tokens than its tokenizer: those stand for nothing. */
  private bytes(id: number): Uint8Array {
    const token = this.special.has(id) ? undefined : this.tokenizer.token(id);
    return token === undefined ? new Uint8Array() : tokenBytes(token);
  }
}

/** Where the first of the texts begins; −1: nowhere. */
function firstOf(texts: readonly string[], within: string): number {
  const places = texts.map((text) => within.indexOf(text)).filter((at) => at >= 0);
  return places.length === 0 ? -1 : Math.min(...places);
}

/** Characters at the end that may be the beginning of one of the texts. */
function beginning(texts: readonly string[], end: string): number {
  let most = 0;
  for (const text of texts)
    for (let length = Math.min(text.length - 1, end.length); length > most; length--)
      if (end.endsWith(text.slice(0, length))) most = length;
  return most;
}
