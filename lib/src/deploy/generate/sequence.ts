/** A sequence on its way: its tokens, which of them are in the cache, and where. */
import type { Sampling } from "./sampler.js";
import type { FinishReason, TokenStream } from "./stream.js";

export class Sequence {
  /** Prompt, then output. */
  readonly tokens: number[];
  /** Tokens whose keys and values are in the cache, from the first on. */
  computed = 0;
  /** Numbers of the blocks that hold them. */
  blocks: number[] = [];
  /** Hashes of the full blocks of tokens, as far as they were needed. */
  readonly hashes: string[] = [];
  /** Other samples of the same prompt, which get its blocks when the prompt is computed. */
  siblings: Sequence[] = [];
  finish: FinishReason | null = null;
  /** Forgets the abort listener. */
  detach: () => void = () => {};

  constructor(
    /** In order of arrival. */
    readonly id: number,
    prompt: readonly number[],
    readonly sampling: Sampling,
    /** Most tokens, prompt and output. */
    readonly limit: number,
    readonly stream: TokenStream,
  ) {
    this.tokens = [...prompt];
    this.promptLength = prompt.length;
  }

  readonly promptLength: number;

  /** Tokens generated so far. */
  get outputLength(): number {
    return this.tokens.length - this.promptLength;
  }

  /** Tokens that are to be computed before the next one can be drawn. */
  get pending(): number {
    return this.tokens.length - this.computed;
  }
}
