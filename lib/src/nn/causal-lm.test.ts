/** CausalLM against GPT-2 as Hugging Face's transformers runs it (test/expected/gpt2.py). */
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { expectClose, expectedFile, type Values } from "../../test/support/expected.js";
import { deploy, Generator, nn, optim, type Tensor, tensor } from "../index.js";

interface Expected {
  readonly config: nn.CausalLMOptions;
  readonly prompts: number[][];
  readonly logits: Values;
}

const expected = expectedFile<Expected>("gpt2.json");
const weights = fileURLToPath(new URL("../../test/expected/gpt2.safetensors", import.meta.url));
const ids = (rows: number[][]): Tensor => tensor(rows, { dtype: "int32" });
const load = (): Promise<nn.CausalLM> =>
  deploy.loadWeights(weights, new nn.CausalLM(expected.config).eval(), { rename: deploy.gpt2Name });

describe("CausalLM", () => {
  it("gives the logits of transformers' GPT-2 with the weights of its file", async () => {
    const model = await load();
    const logits = model.forward(ids([expected.prompts[2]]));
    expectClose(logits.slice(0), expected.logits, 2e-5);
  });

  it("sees earlier tokens alone", async () => {
    const model = await load();
    const tokens = expected.prompts[3];
    const whole = model.forward(ids([tokens])).slice(0, [0, 5]);
    const other = model.forward(ids([[...tokens.slice(0, 5), 1, 2, 3]])).slice(0, [0, 5]);
    expect(whole.sub(other).abs().max().item()).toBeLessThan(1e-4);
    expect(
      model
        .forward(ids([tokens]))
        .slice(0, 5)
        .sub(other.slice(4))
        .abs()
        .max()
        .item(),
    ).toBeGreaterThan(1);
  });

  it("learns a sequence", () => {
    const options = { vocabulary: 7, context: 8, size: 16, depth: 1, heads: 2, dropout: 0 };
    const model = new nn.CausalLM({ ...options, generator: new Generator(3) });
    const [x, y] = [ids([[1, 2, 3, 4, 5, 6]]), ids([[2, 3, 4, 5, 6, 0]])];
    const loss = (): Tensor => nn.crossEntropy(model.forward(x).reshape([6, 7]), y.reshape([6]));
    const first = Number(loss().item());
    const adam = new optim.Adam(model.parameters(), { lr: 0.01 });
    for (let i = 0; i < 60; i++) {
      adam.zeroGrad();
      loss().backward();
      adam.step();
    }
    expect(first).toBeGreaterThan(1.5);
    expect(Number(loss().item())).toBeLessThan(0.1);
    expect(model.forward(x).argmax(-1).toArray()).toEqual(y.toArray());
  });

  it("says what it does not take", () => {
    const options = { vocabulary: 7, context: 8, size: 16, depth: 1, heads: 2 };
    expect(() => new nn.CausalLM({ ...options, heads: 3 })).toThrow(
      "CausalLM: 16 features cannot be divided into 3 heads",
    );
    expect(() => new nn.CausalLM({ ...options, depth: 0 })).toThrow(
      /CausalLM: depth is a whole number from 1/,
    );
    expect(() => new nn.CausalLM(options).forward(ids([[1, 2, 3, 4, 5, 6, 0, 1, 2]]))).toThrow(
      "CausalLM: tokens (n, t) with t ≤ 8 wanted, got (1, 9)",
    );
  });

  it("has a path for each name of a GPT-2 file, and none for what follows from others", () => {
    expect(deploy.gpt2Name("h.11.mlp.c_proj.bias")).toBe("blocks.11.narrow.bias");
    expect(deploy.gpt2Name("transformer.ln_f.weight")).toBe("norm.weight");
    for (const name of ["lm_head.weight", "h.0.attn.bias", "transformer.h.0.attn.masked_bias"])
      expect(deploy.gpt2Name(name)).toBeNull();
    for (const name of ["h.0.attn.constructor.weight", "other", "h.0.toString.bias"])
      expect(deploy.gpt2Name(name)).toBe(name);
  });
});
