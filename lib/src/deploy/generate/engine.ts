/** Generation: requests come in, tokens go out, one step of the model after the other for all that run. */
import { MlsysError, ValueError } from "../../core/errors.js";
import type { CausalLM } from "../../nn/causal-lm.js";
import { BlockTables } from "./block-tables.js";
import { ModelRunner } from "./runner.js";
import { checkedSampling, type SamplingParams, sample } from "./sampler.js";
import { type Scheduled, Scheduler, type SchedulerOptions } from "./scheduler.js";
import { Sequence } from "./sequence.js";
import { type FinishReason, type GeneratedToken, TokenStream } from "./stream.js";
import { type StepTrace, Trace } from "./trace.js";

/** Names in vLLM: block_size, num_gpu_blocks_override, max_num_seqs, max_num_batched_tokens, enable_prefix_caching. */
export interface EngineOptions extends Partial<SchedulerOptions> {
  /** Positions of a block of the cache. Default 16. */
  readonly blockSize?: number;
  /** Blocks of the cache. Default: as many as `maxSequences` whole contexts take, at most 256 MiB. */
  readonly blocks?: number;
  /** Most sequences that run at once. Default 32. */
  readonly maxSequences?: number;
  /** Most tokens of a step; longer prompts are computed in chunks. Default 512. */
  readonly maxBatchedTokens?: number;
  /** Most requests that wait; behind them `submit` throws. Default 256. */
  readonly maxWaiting?: number;
  /** Whether requests that begin alike have the same blocks of the cache. Default true. */
  readonly prefixSharing?: boolean;
  /** Default "continuous". "static" is there to be compared with: no request starts before all that run have ended. */
  readonly batching?: "continuous" | "static";
  /** The last so many steps stand in `trace`. Default 0. */
  readonly traceSteps?: number;
}

export interface GenerationRequest extends SamplingParams {
  /** Tokens, at least one. */
  readonly prompt: readonly number[];
}

/** The waiting queue is full: the request was not taken, and may be sent again later (HTTP's 429). */
export class QueueFullError extends MlsysError {
  override name = "QueueFullError";
}

export interface EngineStats {
  readonly running: number;
  readonly waiting: number;
  /** Blocks in all, those that sequences have, and those of them that several have. */
  readonly blocks: number;
  readonly blocksUsed: number;
  readonly blocksShared: number;
  /** Blocks that nobody has, whose contents can still be found. */
  readonly blocksCached: number;
  /** Of the cache. */
  readonly bytes: number;
  readonly steps: number;
  /** Tokens computed, of prompts and outputs, those of preempted requests again. */
  readonly computedTokens: number;
  readonly generatedTokens: number;
  /** Tokens of prompts that were found in the cache. */
  readonly sharedTokens: number;
  /** Blocks that were copied, since one of several sequences wrote to them. */
  readonly copiedBlocks: number;
  readonly preemptions: number;
  readonly finished: number;
  readonly cancelled: number;
  /** Requests that found the queue full. */
  readonly rejected: number;
  /** Generated tokens per second of the steps' time. */
  readonly tokensPerSecond: number;
}

const MOST_BYTES = 256 * 1024 * 1024;

/**
 * Runs a language model for many requests at once: continuous batching (Yu et al. 2022, Orca) over a paged cache of keys and
 * values (Kwon et al. 2023, vLLM). Requests are served first come, first served. Steps run on this thread, one per turn of the
 * event loop. On the devices "wasm" and "cpu" a request's tokens are the same whatever runs beside it, however large blocks
 * are, and whether it was preempted; on others up to rounding.
 * @example
 * const model = new nn.CausalLM({ vocabulary: 50, context: 32, size: 16, depth: 1, heads: 2, generator: new Generator(1) });
 * const engine = new deploy.GenerationEngine(model, { blockSize: 8 });
 * const tokens: number[] = [];
 * for await (const { token } of engine.submit({ prompt: [1, 2, 3], temperature: 0, maxTokens: 4 })) tokens.push(token);
 * engine.close();
 * tokens.length // 4
 */
export class GenerationEngine {
  private readonly tables: BlockTables;
  private readonly scheduler: Scheduler;
  private readonly runner: ModelRunner;
  private readonly steps: Trace;
  private readonly maxWaiting: number;
  private readonly maxSequences: number;
  private readonly counts = { computedTokens: 0, generatedTokens: 0, finished: 0, cancelled: 0, rejected: 0 };
  private arrivals = 0;
  private turning = false;
  private stepping = false;
  private closed = false;

  /**
   * @param model its weights as they are now are used; they are shared, not copied
   * @throws ValueError for options outside their range; DTypeError unless the weights are float32
   */
  constructor(
    readonly model: CausalLM,
    options: EngineOptions = {},
  ) {
    const { blockSize = 16, maxSequences = 32, maxBatchedTokens = 512, maxWaiting = 256 } = options;
    const bytes = 8 * model.blocks.length * model.size * blockSize;
    const wanted = maxSequences * Math.ceil(model.context / blockSize);
    const blocks = options.blocks ?? Math.max(1, Math.min(wanted, Math.floor(MOST_BYTES / bytes)));
    const sizes = { blockSize, maxSequences, maxBatchedTokens, maxWaiting, blocks };
    for (const [name, value] of Object.entries(sizes))
      if (!Number.isInteger(value) || value < 1)
        throw new ValueError(`GenerationEngine: ${name} is a whole number from 1, got ${value}`);
    this.maxWaiting = maxWaiting;
    this.maxSequences = maxSequences;
    this.steps = new Trace(options.traceSteps ?? 0);
    this.runner = new ModelRunner(model, blockSize, blocks);
    const copy = (from: number, to: number): void => this.runner.cache.copy(from, to);
    this.tables = new BlockTables(blocks, blockSize, copy, options.prefixSharing ?? true);
    const batching = options.batching ?? "continuous";
    this.scheduler = new Scheduler(this.tables, { maxSequences, maxBatchedTokens, batching });
  }

  /**
   * Puts a request into the queue, and gives its tokens as they come. A request that is cancelled by `signal`, or whose
   * iteration is left, gives its blocks back at once; then the last item's `finish` is "cancelled". Tokens that nobody reads wait.
   * @throws ValueError for a request that the model or the cache cannot take; QueueFullError if too many wait
   */
  submit(request: GenerationRequest, signal?: AbortSignal): AsyncIterableIterator<GeneratedToken> {
    return this.submitSamples(request, 1, signal)[0];
  }

  /**
   * Several samples of one prompt, with the seeds seed, seed + 1, …; the prompt is computed once, and its blocks are shared.
   * @throws as `submit`
   */
  submitSamples(
    request: GenerationRequest,
    count: number,
    signal?: AbortSignal,
  ): AsyncIterableIterator<GeneratedToken>[] {
    if (!Number.isInteger(count) || count < 1 || count > this.maxSequences)
      throw new ValueError(
        `generation: the number of samples is 1 … maxSequences (${this.maxSequences}), got ${count}`,
      );
    const sampling = checkedSampling(request);
    const limit = this.checkedLimit(request.prompt, sampling.maxTokens);
    if (this.closed) throw new MlsysError("generation: the engine is closed");
    if (this.stepping) this.recover();
    if (this.scheduler.waiting.length >= this.maxWaiting) {
      this.counts.rejected++;
      throw new QueueFullError(`generation: ${this.maxWaiting} requests wait already; try again later`);
    }
    const sequences = Array.from({ length: count }, (_, i) => {
      const stream: TokenStream = new TokenStream(() => this.end(sequence, "cancelled"));
      const own = { ...sampling, seed: sampling.seed + i };
      const sequence = new Sequence(this.arrivals++, request.prompt, own, limit, stream);
      return sequence;
    });
    sequences[0].siblings = sequences.slice(1);
    this.scheduler.add(sequences[0]);
    for (const sequence of signal ? sequences : []) {
      const cancel = (): void => this.end(sequence, "cancelled");
      signal?.addEventListener("abort", cancel, { once: true });
      sequence.detach = () => signal?.removeEventListener("abort", cancel);
      if (signal?.aborted) cancel();
    }
    void this.turn();
    return sequences.map(({ stream }) => stream);
  }

  get stats(): EngineStats {
    const { running, waiting, preemptions, sharedTokens } = this.scheduler;
    const { pool, copies } = this.tables;
    const { steps, seconds } = this.steps;
    return {
      running: running.length,
      waiting: waiting.length,
      blocks: pool.size,
      blocksUsed: pool.usedCount,
      blocksShared: pool.shared,
      blocksCached: pool.cachedCount,
      bytes: this.runner.cache.bytes,
      steps,
      ...this.counts,
      sharedTokens,
      copiedBlocks: copies,
      preemptions,
      tokensPerSecond: seconds === 0 ? 0 : this.counts.generatedTokens / seconds,
    };
  }

  /** The last `traceSteps` steps. */
  get trace(): readonly StepTrace[] {
    return this.steps.kept;
  }

  /** Cancels all requests and gives the memory back. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.endAll((sequence) => this.end(sequence, "cancelled"));
    this.runner.dispose();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Steps while there is work; others have their turn between two steps. */
  private async turn(): Promise<void> {
    if (this.turning) return;
    this.turning = true;
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve));
      if (!this.scheduler.hasWork) break;
      try {
        this.stepping = true;
        this.step();
      } catch (error) {
        this.failAll(error);
      }
      this.stepping = false;
    }
    this.turning = false;
  }

  /** A step that never ended was interrupted (V8's TerminateExecution skips every `catch`): its requests end, later ones start anew. */
  private recover(): void {
    this.failAll(new MlsysError("generation: interrupted"));
    this.stepping = false;
    this.turning = false;
  }

  private failAll(error: unknown): void {
    this.endAll((sequence) => {
      this.leave(sequence);
      sequence.stream.fail(error);
    });
  }

  private step(): void {
    const start = performance.now();
    const scheduled = this.scheduler.schedule();
    if (scheduled.length === 0) return;
    let [generated, positions] = [0, 0];
    const occupancy = this.steps.wanted ? this.tables.pool.occupancy() : null;
    this.runner.run(scheduled, (logits) => {
      this.advance(scheduled);
      for (const { computed } of this.scheduler.running) positions += computed;
      for (const [sequence, row] of logits) {
        const samples = [sequence, ...this.scheduler.fork(sequence)];
        for (const one of samples) this.take(one, samples.length > 1 ? row.slice() : row);
        generated += samples.length;
      }
    });
    const tokens = scheduled.reduce((sum, { count }) => sum + count, 0);
    this.counts.computedTokens += tokens;
    const { waiting, running, preemptions } = this.scheduler;
    this.steps.add(start, performance.now() - start, {
      sequences: scheduled.map(({ sequence, count }) => [sequence.id, count]),
      tokens,
      generated,
      running: running.length,
      waiting: waiting.length,
      positions,
      preemptions,
      occupancy,
    });
  }

  private advance(scheduled: readonly Scheduled[]): void {
    for (const { sequence, count } of scheduled) {
      const before = sequence.computed;
      sequence.computed += count;
      this.tables.remember(sequence, before);
    }
  }

  /** Draws a sequence's next token. */
  private take(sequence: Sequence, logits: Float32Array): void {
    const { sampling, tokens, outputLength: index, stream } = sequence;
    const { token, logprob } = sample(logits, sampling, tokens, index);
    tokens.push(token);
    this.counts.generatedTokens++;
    const finish: FinishReason | undefined = sampling.stopTokens.includes(token)
      ? "stop"
      : tokens.length >= sequence.limit
        ? "length"
        : undefined;
    if (finish) {
      this.leave(sequence);
      sequence.finish = finish;
      this.counts.finished++;
    }
    stream.push({ token, index, ...(logprob === undefined ? {} : { logprob }), ...(finish && { finish }) });
  }

  private end(sequence: Sequence, finish: "cancelled"): void {
    if (sequence.finish) return;
    sequence.finish = finish;
    this.leave(sequence);
    this.counts.cancelled++;
    sequence.stream.push({ token: -1, index: sequence.outputLength, finish });
  }

  private leave(sequence: Sequence): void {
    sequence.detach();
    this.scheduler.remove(sequence);
  }

  private endAll(end: (sequence: Sequence) => void): void {
    const { running, waiting } = this.scheduler;
    const all = [...running, ...waiting].flatMap((sequence) => [sequence, ...sequence.siblings]);
    for (const sequence of all.reverse()) end(sequence);
  }

  /** Most tokens of a sequence. @throws ValueError if model or cache cannot take it */
  private checkedLimit(prompt: readonly number[], maxTokens: number): number {
    const { vocabulary, context } = this.model;
    if (!Array.isArray(prompt)) throw new ValueError("generation: the prompt is an array of tokens");
    const bad = prompt.find((token) => !Number.isInteger(token) || token < 0 || token >= vocabulary);
    if (bad !== undefined) throw new ValueError(`generation: tokens are 0 … ${vocabulary - 1}, got ${bad}`);
    if (prompt.length === 0 || prompt.length >= context)
      throw new ValueError(
        `generation: the prompt has ${prompt.length} tokens; at least 1 and fewer than the model's context (${context}) are wanted`,
      );
    const limit = Math.min(prompt.length + maxTokens, context);
    const { blockSize, pool } = this.tables;
    const blocks = Math.ceil((limit - 1) / blockSize); // the last token is not computed
    if (blocks > pool.size)
      throw new ValueError(
        `generation: ${limit} tokens need ${blocks} blocks, the cache has ${pool.size}; ask for fewer tokens, or give the engine more blocks`,
      );
    return limit;
  }
}
