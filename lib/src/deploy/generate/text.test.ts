/** Text as it is generated: whole characters, and what was asked not to be shown is not. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SYMBOLS } from "../../data/text/bpe/byte-level.js";
import { data, deploy, Generator, nn } from "../../index.js";
import { TokenStream } from "./stream.js";

const tokenizer = data.trainBpe(["naïve façade 漢字かな 🙂🙃 to be or not to be"], {
  vocabSize: 275,
  specialTokens: ["<end>"],
});

/** An engine that says what it is told to, so that tokens can be chosen. */
function saying(tokens: readonly number[], finish: deploy.FinishReason): deploy.TextGenerator {
  const left: { cancelled: boolean } = { cancelled: false };
  const engine = {
    left,
    submit: () => {
      const stream = new TokenStream(() => {
        left.cancelled = true;
      });
      for (const [index, token] of tokens.entries())
        stream.push({
          token,
          index,
          ...(index === tokens.length - 1 && finish !== "cancelled" && { finish }),
        });
      if (finish === "cancelled") stream.push({ token: -1, index: tokens.length, finish });
      return stream;
    },
  };
  return new deploy.TextGenerator(engine as unknown as deploy.GenerationEngine, tokenizer);
}

async function read(chunks: AsyncIterable<deploy.TextChunk>): Promise<deploy.TextChunk[]> {
  const out: deploy.TextChunk[] = [];
  for await (const chunk of chunks) out.push(chunk);
  return out;
}

describe("TextGenerator", () => {
  it("gives in pieces of whole characters what the tokens say together", async () => {
    const id = fc.oneof(
      fc.nat(tokenizer.vocabSize - 1),
      fc.constantFrom(...tokenizer.encode("漢🙂ïか")), // single bytes of long characters, in any order
    );
    const tokens = fc.oneof(
      fc.array(id, { minLength: 1, maxLength: 30 }),
      fc
        .string({ unit: fc.constantFrom(..."aé漢🙂\ufeff\u0301 "), minLength: 1, maxLength: 12 })
        .map((text) => tokenizer.encode(text)),
    );
    await fc.assert(
      fc.asyncProperty(tokens, async (ids) => {
        const chunks = await read(saying(ids, "length").generate(""));
        expect(chunks.map(({ text }) => text).join("")).toBe(tokenizer.decode(ids));
        const last = chunks.at(-1);
        expect([last?.tokens, last?.finish]).toEqual([ids.length, "length"]);
        const wrong = chunks
          .slice(0, -1)
          .filter(({ text, finish }) => finish || text === "" || Buffer.from(text).toString() !== text);
        expect(wrong).toEqual([]);
      }),
      { numRuns: 100 },
    );
  });

  it("holds back the bytes of a character until it is whole", async () => {
    const ids = [...Buffer.from("a🙂b")].map((byte) => tokenizer.id(SYMBOLS[byte]) as number);
    const chunks = await read(saying(ids, "stop").generate(""));
    expect(chunks).toEqual([
      { text: "a", tokens: 1 },
      { text: "🙂", tokens: 5 },
      { text: "b", tokens: 6, finish: "stop" },
    ]);
    const cut = await read(saying(ids.slice(0, 3), "length").generate(""));
    expect(cut.at(-1)).toEqual({ text: "\ufffd", tokens: 3, finish: "length" });
  });

  it("ends before the first stop text, wherever tokens are cut, and leaves the stream", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: fc.constantFrom("a", "b", "c"), minLength: 1, maxLength: 20 }),
        fc.array(fc.string({ unit: fc.constantFrom("a", "b", "c"), minLength: 1, maxLength: 4 }), {
          maxLength: 3,
        }),
        async (text, stop) => {
          const generator = saying(
            [...text].map((c) => tokenizer.encode(c)[0]),
            "length",
          );
          const chunks = await read(generator.generate("", { stop }));
          const places = stop.map((one) => text.indexOf(one)).filter((at) => at >= 0);
          const wanted = places.length > 0 ? text.slice(0, Math.min(...places)) : text;
          // of stop texts that overlap, the one that is complete first ends it
          const whole = stop.filter((one) => text.includes(one));
          const first = Math.min(...whole.map((one) => text.indexOf(one) + one.length));
          const earliest = Math.min(
            ...whole.map((one) => text.slice(0, first).indexOf(one)).filter((at) => at >= 0),
          );
          expect(chunks.map((chunk) => chunk.text).join("")).toBe(
            places.length > 0 ? text.slice(0, earliest) : wanted,
          );
          expect(chunks.at(-1)?.finish).toBe(places.length > 0 ? "stop" : "length");
        },
      ),
      { numRuns: 100 },
    );
    expect(() => saying([1], "length").generate("", { stop: [""] })).toThrow(
      "generation: a stop text is empty",
    );
  });

  it("shows neither special tokens nor those that the tokenizer lacks, and passes cancellation on", async () => {
    const end = tokenizer.id("<end>") as number;
    const [a, b] = tokenizer.encode("ab");
    expect(await read(saying([a, end, 9999, b], "cancelled").generate(""))).toEqual([
      { text: "a", tokens: 1 },
      { text: "b", tokens: 4 },
      { text: "", tokens: 4, finish: "cancelled" },
    ]);
  });

  it("runs on an engine, and gives blocks back when it is left", async () => {
    const sizes = { vocabulary: tokenizer.vocabSize, context: 40, size: 16, depth: 1, heads: 2 };
    using engine = new deploy.GenerationEngine(new nn.CausalLM({ ...sizes, generator: new Generator(1) }));
    const generator = new deploy.TextGenerator(engine, tokenizer);
    const once = async (): Promise<string> =>
      (await read(generator.generate("to be", { seed: 4, maxTokens: 20 }))).map(({ text }) => text).join("");
    expect(await once()).toBe(await once());
    for await (const { tokens } of generator.generate("to be", { seed: 4, maxTokens: 20 }))
      if (tokens > 5) break;
    expect(engine.stats).toMatchObject({ running: 0, blocksUsed: 0, finished: 2, cancelled: 1 });
    const controller = new AbortController();
    const aborted = generator.generate("to", { maxTokens: 20 }, controller.signal);
    controller.abort();
    expect((await read(aborted)).at(-1)).toMatchObject({ finish: "cancelled" });
  });
});
