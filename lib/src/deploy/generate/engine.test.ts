/**
 * Generation: against GPT-2 as Hugging Face's transformers runs it (test/expected/gpt2.py), against the model run anew on all
 * tokens for each token, and against itself alone: what a request gives must not depend on what runs beside it.
 */
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { expectedFile } from "../../../test/support/expected.js";
import {
  deploy,
  devices,
  Generator,
  getDevice,
  heapStats,
  nn,
  setDevice,
  tensor,
  tidy,
} from "../../index.js";

type Token = deploy.GeneratedToken;

interface Expected {
  readonly config: nn.CausalLMOptions;
  readonly prompts: number[][];
  readonly greedy: number[][];
  readonly penalized: number[][];
}
const expected = expectedFile<Expected>("gpt2.json");
const weights = fileURLToPath(new URL("../../../test/expected/gpt2.safetensors", import.meta.url));

let gpt2: nn.CausalLM;
beforeAll(async () => {
  gpt2 = await deploy.loadWeights(weights, new nn.CausalLM(expected.config), { rename: deploy.gpt2Name });
});

const device = getDevice();
afterEach(() => setDevice(device));

const small = (options: Partial<nn.CausalLMOptions> = {}): nn.CausalLM =>
  new nn.CausalLM({
    ...{ vocabulary: 37, context: 48, size: 24, depth: 2, heads: 3, ...options },
    generator: new Generator(4),
  });

/** A model whose logits are far apart: random ones are nearly even. */
function sharp(options: Partial<nn.CausalLMOptions> = {}): nn.CausalLM {
  const model = small(options);
  tidy(() => {
    for (const [name, v] of model.namedParameters())
      if (!name.includes("orm")) v.assign(new Generator(name.length).normal(v.shape, 0, 0.4));
    return null;
  });
  return model;
}

async function read(stream: AsyncIterable<Token>): Promise<Token[]> {
  const out: Token[] = [];
  for await (const item of stream) out.push(item);
  return out;
}
const tokensOf = async (stream: AsyncIterable<Token>): Promise<number[]> =>
  (await read(stream)).map(({ token }) => token);

/** Greedy decoding by running the model on all tokens, again for each. */
function anew(model: nn.CausalLM, prompt: readonly number[], count: number): number[] {
  const tokens = [...prompt];
  model.eval();
  while (tokens.length < prompt.length + count)
    tokens.push(
      tidy(() => {
        const logits = model.forward(tensor([tokens], { dtype: "int32" })).slice(0, -1);
        return Number(logits.argmax(-1).item());
      }),
    );
  return tokens.slice(prompt.length);
}

/** Lets the engine make steps until something holds. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}

describe("tokens", () => {
  const here = ["wasm", "cpu", "native"].filter((name) =>
    devices().some((one) => one.name === name && one.available),
  );
  it.each(here)("are those of transformers' GPT-2, alone and together (%s)", async (name) => {
    setDevice(name);
    for (const options of [{ maxSequences: 1 }, { blockSize: 5, maxBatchedTokens: 9 }]) {
      using engine = new deploy.GenerationEngine(gpt2, options);
      const greedy = { temperature: 0, maxTokens: 24 };
      const plain = expected.prompts.map((prompt) => engine.submit({ prompt, ...greedy }));
      const penalized = expected.prompts.map((prompt) =>
        engine.submit({ prompt, ...greedy, repetitionPenalty: 1.3 }),
      );
      expect(await Promise.all(plain.map(tokensOf))).toEqual(expected.greedy);
      expect(await Promise.all(penalized.map(tokensOf))).toEqual(expected.penalized);
    }
  });

  it("are those of the model run on all tokens anew", async () => {
    const model = sharp();
    using engine = new deploy.GenerationEngine(model, { blockSize: 4, blocks: 14, maxBatchedTokens: 11 });
    const draw = new Generator(8);
    const prompts = [1, 2, 5, 8, 13, 20].map((n) =>
      Array.from(draw.randint([n], 0, 37).toTypedArray(), Number),
    );
    const streams = prompts.map((prompt) => engine.submit({ prompt, temperature: 0, maxTokens: 20 }));
    expect(await Promise.all(streams.map(tokensOf))).toEqual(
      prompts.map((prompt) => anew(model, prompt, 20)),
    );
    expect(engine.stats.preemptions).toBeGreaterThan(0);
    expect(engine.stats.blocksUsed).toBe(0);
  });

  it("and their probabilities are the same to the last bit whatever runs beside, in blocks of any size, shared or computed again", async () => {
    const model = sharp();
    const request = fc.record({
      /** Of few kinds, so that prompts begin alike. */
      prompt: fc
        .tuple(fc.integer({ min: 0, max: 20 }), fc.array(fc.nat(36), { minLength: 1, maxLength: 6 }))
        .map(([same, rest]) => [...Array.from({ length: same }, (_, i) => i % 7), ...rest]),
      temperature: fc.constantFrom(0, 0.7, 1.5),
      topK: fc.constantFrom(0, 5),
      topP: fc.constantFrom(1, 0.9),
      repetitionPenalty: fc.constantFrom(1, 1.2),
      seed: fc.nat(1000),
      maxTokens: fc.integer({ min: 1, max: 24 }),
      stopTokens: fc.constantFrom([], [3, 4]),
    });
    const settings = fc.record({
      blockSize: fc.integer({ min: 1, max: 17 }),
      maxSequences: fc.integer({ min: 1, max: 6 }),
      maxBatchedTokens: fc.integer({ min: 1, max: 40 }),
      prefixSharing: fc.boolean(),
      batching: fc.constantFrom("continuous" as const, "static" as const),
      spare: fc.nat(5),
    });
    let [preemptions, shared] = [0, 0];
    using alone = new deploy.GenerationEngine(model, { maxSequences: 1, prefixSharing: false });
    await fc.assert(
      fc.asyncProperty(
        settings,
        fc.array(request, { minLength: 1, maxLength: 6 }),
        async ({ spare, ...options }, requests) => {
          const wanted: Token[][] = [];
          for (const one of requests) wanted.push(await read(alone.submit({ ...one, logprobs: true })));
          const longest = Math.max(...requests.map((one) => Math.min(48, one.prompt.length + one.maxTokens)));
          const blocks = Math.ceil(longest / options.blockSize) + spare;
          using engine = new deploy.GenerationEngine(model, { ...options, blocks });
          const streams = requests.map((one) => engine.submit({ ...one, logprobs: true }));
          expect(await Promise.all(streams.map(read))).toEqual(wanted);
          expect(engine.stats).toMatchObject({ blocksUsed: 0, running: 0, waiting: 0 });
          preemptions += engine.stats.preemptions;
          shared += engine.stats.sharedTokens;
        },
      ),
      { numRuns: 40 },
    );
    expect(preemptions).toBeGreaterThan(0);
    expect(shared).toBeGreaterThan(0);
  });

  it("of several samples are those of requests with these seeds; the prompt is computed once", async () => {
    const model = sharp();
    const request = { prompt: [1, 2, 3, 4, 5, 6, 7], seed: 9, temperature: 1.3, maxTokens: 12 };
    using engine = new deploy.GenerationEngine(model, { blockSize: 4, traceSteps: 100 });
    const samples = await Promise.all(engine.submitSamples(request, 4).map(tokensOf));
    const { computedTokens, copiedBlocks, blocksUsed } = engine.stats;
    expect([computedTokens, copiedBlocks, blocksUsed]).toEqual([7 + 4 * 11, 3, 0]);
    expect(engine.trace[1].occupancy.filter((owners) => owners === 4)).toHaveLength(1);
    for (const [i, sample] of samples.entries())
      expect(await tokensOf(engine.submit({ ...request, seed: 9 + i }))).toEqual(sample);
    expect(new Set(samples.map(String)).size).toBe(4);
  });

  it("end at stop tokens, at maxTokens and where the context is full", async () => {
    const model = sharp({ context: 16 });
    using engine = new deploy.GenerationEngine(model);
    const prompt = [5, 6, 7];
    const free = await tokensOf(engine.submit({ prompt, temperature: 0, maxTokens: 100 }));
    expect(free).toHaveLength(13);
    const stop = free[4];
    const at = free.indexOf(stop);
    const stopped = await read(engine.submit({ prompt, temperature: 0, maxTokens: 100, stopTokens: [stop] }));
    expect(stopped.map(({ token }) => token)).toEqual(free.slice(0, at + 1));
    expect(stopped.map(({ index }) => index)).toEqual([...stopped.keys()]);
    expect(stopped.map(({ finish }) => finish)).toEqual([...Array.from({ length: at }), "stop"]);
    const short = await read(engine.submit({ prompt, temperature: 0, maxTokens: 2 }));
    expect(short.map(({ finish }) => finish)).toEqual([undefined, "length"]);
  });
});

describe("requests", () => {
  it("give their blocks back at once when they are cancelled: waiting, running, left, sampled", async () => {
    using engine = new deploy.GenerationEngine(small(), { blockSize: 2, maxSequences: 3 });
    const [first, second, all] = [new AbortController(), new AbortController(), new AbortController()];
    const request = { prompt: [1, 2, 3], maxTokens: 40, seed: 1 };
    const running = engine.submit(request, first.signal);
    const samples = engine.submitSamples(request, 2, all.signal);
    const waiting = engine.submit(request, second.signal);
    await until(() => engine.stats.generatedTokens > 9);
    const before = engine.stats;
    expect(before).toMatchObject({ running: 3, waiting: 1 });
    second.abort();
    expect(await read(waiting)).toEqual([{ token: -1, index: 0, finish: "cancelled" }]);
    first.abort();
    expect(engine.stats).toMatchObject({ running: 2, waiting: 0, cancelled: 2 });
    expect(engine.stats.blocksUsed).toBeLessThan(before.blocksUsed);
    const got = await read(running);
    expect(got.at(-1)).toEqual({ token: -1, index: got.length - 1, finish: "cancelled" });
    all.abort();
    expect(engine.stats).toMatchObject({ running: 0, blocksUsed: 0, cancelled: 4 });
    for (const sample of samples) expect((await read(sample)).at(-1)?.finish).toBe("cancelled");

    for await (const { index } of engine.submit(request)) if (index === 3) break;
    expect(engine.stats).toMatchObject({ running: 0, blocksUsed: 0, cancelled: 5 });
    const late = new AbortController();
    const done = await read(engine.submit({ ...request, maxTokens: 3 }, late.signal));
    late.abort();
    expect([done.length, engine.stats.cancelled, engine.stats.finished]).toEqual([3, 5, 1]);
    const aborted = await read(engine.submit(request, AbortSignal.abort()));
    expect(aborted.map(({ finish }) => finish)).toEqual(["cancelled"]);
  });

  it("go on when the first of several samples is cancelled before the prompt is computed", async () => {
    const model = sharp();
    using engine = new deploy.GenerationEngine(model, { maxBatchedTokens: 2 });
    const request = { prompt: [1, 2, 3, 4, 5, 6, 7, 8], seed: 3, maxTokens: 5 };
    const samples = engine.submitSamples(request, 3);
    await until(() => engine.stats.computedTokens === 4);
    await samples[0].return?.();
    const rest = await Promise.all(samples.slice(1).map(tokensOf));
    expect(engine.stats).toMatchObject({ finished: 2, cancelled: 1, blocksUsed: 0 });
    for (const [i, tokens] of rest.entries())
      expect(await tokensOf(engine.submit({ ...request, seed: 4 + i }))).toEqual(tokens);
  });

  it("are served first come, first served, and refused when too many wait", async () => {
    using engine = new deploy.GenerationEngine(small(), { maxSequences: 1, maxWaiting: 3 });
    const ended: number[] = [];
    const submit = (id: number, maxTokens: number): Promise<unknown> =>
      read(engine.submit({ prompt: [id + 1], maxTokens, seed: id })).then(() => ended.push(id));
    const streams = [submit(0, 9), submit(1, 2), submit(2, 1)];
    expect(() => engine.submit({ prompt: [1] })).toThrow(deploy.QueueFullError);
    expect(() => engine.submit({ prompt: [1] })).toThrow(
      "generation: 3 requests wait already; try again later",
    );
    expect(engine.stats).toMatchObject({ waiting: 3, rejected: 2 });
    await Promise.all(streams);
    expect(ended).toEqual([0, 1, 2]);
    expect(await read(engine.submit({ prompt: [1], maxTokens: 1 }))).toHaveLength(1);
  });

  it("end with the error of a step that failed; later ones are served", async () => {
    const model = small();
    using engine = new deploy.GenerationEngine(model);
    const runner = (engine as unknown as { runner: { run(...x: unknown[]): void } }).runner;
    const run = runner.run.bind(runner);
    runner.run = () => {
      throw new Error("the device is gone");
    };
    const streams = [engine.submit({ prompt: [1] }), engine.submit({ prompt: [2] })];
    for (const stream of streams) await expect(read(stream)).rejects.toThrow("the device is gone");
    expect(engine.stats).toMatchObject({ running: 0, waiting: 0, blocksUsed: 0 });
    runner.run = run;
    expect(await read(engine.submit({ prompt: [1], maxTokens: 2 }))).toHaveLength(2);
  });

  it("end when a step was interrupted (which skips every catch and finally); later ones are served", async () => {
    using engine = new deploy.GenerationEngine(small());
    const first = engine.submit({ prompt: [1], maxTokens: 40 });
    await until(() => engine.stats.generatedTokens > 2);
    (engine as unknown as { stepping: boolean }).stepping = true; // what such a step leaves behind
    const later = engine.submit({ prompt: [2], maxTokens: 3 });
    await expect(read(first)).rejects.toThrow("generation: interrupted");
    expect(await read(later)).toHaveLength(3);
    expect(engine.stats).toMatchObject({ running: 0, blocksUsed: 0, finished: 1 });
  });

  it("are refused with what is wrong with them", () => {
    using engine = new deploy.GenerationEngine(small(), { blockSize: 4, blocks: 3 });
    const submit = (request: deploy.GenerationRequest) => () => engine.submit(request);
    expect(submit({ prompt: [] })).toThrow(
      "generation: the prompt has 0 tokens; at least 1 and fewer than the model's context (48) are wanted",
    );
    expect(submit({ prompt: "to be" as never })).toThrow("generation: the prompt is an array of tokens");
    expect(submit({ prompt: new Array(48).fill(1) })).toThrow("the prompt has 48 tokens");
    expect(submit({ prompt: [37] })).toThrow("generation: tokens are 0 … 36, got 37");
    expect(submit({ prompt: [1, 2], maxTokens: 12 })).toThrow(
      "generation: 14 tokens need 4 blocks, the cache has 3; ask for fewer tokens, or give the engine more blocks",
    );
    expect(() => engine.submitSamples({ prompt: [1] }, 33)).toThrow(
      "generation: the number of samples is 1 … maxSequences (32), got 33",
    );
    expect(submit({ prompt: [1], topP: 2 })).toThrow("generation: topP is above 0 and at most 1, got 2");
    expect(engine.stats).toMatchObject({ waiting: 0, rejected: 0 });
    expect(() => new deploy.GenerationEngine(small(), { blockSize: 0 })).toThrow(
      "GenerationEngine: blockSize is a whole number from 1, got 0",
    );
    expect(() => new deploy.GenerationEngine(small({ dtype: "float64" }))).toThrow(
      "GenerationEngine: weights are float32, got float64; cast them",
    );
  });
});

describe("the engine", () => {
  it("uses the weights that the model had, and leaves the model as it is", async () => {
    const model = sharp();
    using engine = new deploy.GenerationEngine(model, { blockSize: 4 });
    const request = { prompt: [3, 1], temperature: 0, maxTokens: 8 };
    const first = await tokensOf(engine.submit(request));
    expect([model.training, model.blocks[0].training]).toEqual([true, true]);
    tidy(() => {
      for (const v of model.parameters()) v.assign(v.value.mul(0));
      return null;
    });
    expect(await tokensOf(engine.submit(request))).toEqual(first);
  });

  it("gives its memory back when it is closed, and ends what runs", async () => {
    const model = sharp();
    const run = async (): Promise<Token[]> => {
      const engine = new deploy.GenerationEngine(model, { blockSize: 4 });
      const left = engine.submit({ prompt: [3, 1], maxTokens: 40 });
      await until(() => engine.stats.generatedTokens > 3);
      engine.close();
      engine.close();
      expect(() => engine.submit({ prompt: [1] })).toThrow("generation: the engine is closed");
      return read(left);
    };
    await run(); // kernels are compiled
    const { liveBytes } = heapStats();
    expect((await run()).at(-1)?.finish).toBe("cancelled");
    expect(heapStats().liveBytes).toBeLessThanOrEqual(liveBytes);
  });

  it("tells what it did, step by step", async () => {
    using engine = new deploy.GenerationEngine(small(), {
      blockSize: 4,
      blocks: 8,
      maxBatchedTokens: 6,
      traceSteps: 3,
    });
    const streams = [
      engine.submit({ prompt: [1, 2, 3, 4, 5], maxTokens: 3, seed: 1 }),
      engine.submit({ prompt: [6, 7], maxTokens: 3, seed: 1 }),
    ];
    await Promise.all(streams.map(read));
    const { trace, stats } = engine;
    expect(trace.map(({ sequences }) => sequences)).toEqual([
      [
        [0, 1],
        [1, 1],
      ],
      [
        [0, 1],
        [1, 1],
      ],
      [[1, 1]],
    ]);
    expect(
      trace.map(({ tokens, generated, running, waiting }) => [tokens, generated, running, waiting]),
    ).toEqual(
      [[2, 2, 2, 0], [2, 2, 1, 0], [1, 1, 0, 0]], // biome-ignore format: steps
    );
    expect(trace.map(({ positions }) => positions)).toEqual([6 + 2, 7 + 3, 4]);
    expect([...trace[0].occupancy].filter((owners) => owners > 0)).toHaveLength(3);
    expect(stats).toMatchObject({
      steps: 4,
      computedTokens: 5 + 2 + 2 + 2,
      generatedTokens: 6,
      finished: 2,
      blocks: 8,
      blocksCached: 2,
      preemptions: 0,
    });
    expect(stats.tokensPerSecond).toBeGreaterThan(0);
    expect(trace[1].start).toBeGreaterThan(trace[0].start);
  });
});
