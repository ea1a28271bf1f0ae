import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { expectedFile } from "../../../test/support/expected.js";
import { deploy, nn } from "../../index.js";

interface Expected {
  readonly config: nn.CausalLMOptions;
  readonly prompts: number[][];
  readonly greedy: number[][];
  readonly penalized: number[][];
}
const expected = expectedFile<Expected>("gpt2.json");
const weights = fileURLToPath(new URL("../../../test/expected/gpt2.safetensors", import.meta.url));
let model: nn.CausalLM;
beforeAll(async () => {
  model = await deploy.loadWeights(weights, new nn.CausalLM(expected.config), { rename: deploy.gpt2Name });
});
const all = async (s: AsyncIterable<deploy.GeneratedToken>): Promise<number[]> => {
  const out: number[] = [];
  for await (const { token } of s) out.push(token);
  return out;
};
describe("engine", () => {
  it("greedy", async () => {
    using engine = new deploy.GenerationEngine(model, { blockSize: 4 });
    const streams = expected.prompts.map((prompt) => engine.submit({ prompt, temperature: 0, maxTokens: 24 }));
    expect(await Promise.all(streams.map(all))).toEqual(expected.greedy);
    const penal = expected.prompts.map((prompt) => engine.submit({ prompt, temperature: 0, maxTokens: 24, repetitionPenalty: 1.3 }));
    expect(await Promise.all(penal.map(all))).toEqual(expected.penalized);
    console.log(engine.stats);
  });
});
