/** Models that answer token by token: both protocols, ends of all kinds. */
import { afterEach, describe, expect, it } from "vitest";
import type { TokenModel, TokenRequest } from "../../../src/deploy/serve/tokens.js";
import {
  deploy,
  grpcClient,
  inferJson,
  type ModelServer,
  metric,
  post,
  until,
} from "../../support/serving.js";

let server: ModelServer | null = null;
afterEach(async () => {
  await server?.close({ drainMs: 0 });
  server = null;
});

/** An engine that counts up from the prompt's last token; at `stall` it waits until it is called off. */
class Counter {
  readonly requests: TokenRequest[] = [];
  stopped = 0;

  constructor(
    private readonly stall = Number.POSITIVE_INFINITY,
    private readonly fail = Number.POSITIVE_INFINITY,
  ) {}

  async *submit(request: TokenRequest, signal: AbortSignal) {
    this.requests.push(request);
    try {
      for (let i = 0; i < request.maxTokens; i++) {
        if (i === this.fail) throw new Error("the cache is full");
        if (i === this.stall)
          await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
        yield { token: (request.prompt.at(-1) as number) + 1 + i, logprob: -0.5 };
      }
    } finally {
      this.stopped++;
    }
  }
}

const letters: TokenModel["tokenizer"] = {
  encode: (text) => [...Buffer.from(text)],
  decode: (tokens) => Buffer.from(tokens).toString(),
};

const serve = async (model: TokenModel): Promise<ModelServer> => {
  server = await deploy.serve({ models: { m: model } });
  return server;
};

const label = (code: string, protocol = "http") =>
  `mlsys_serve_requests_total{model="m",version="",protocol="${protocol}",code="${code}"}`;

describe("generate", () => {
  it("gives all tokens at once, for token ids or text, with parameters as they came", async () => {
    const engine = new Counter();
    const { url } = await serve({ engine, tokenizer: letters });
    const client = deploy.client(url);
    expect(await client.generate("m", [5], { maxTokens: 3, parameters: { temperature: 0 } })).toEqual({
      tokens: [6, 7, 8],
      text: "\u0006\u0007\u0008",
    });
    const raw = await post(
      `${url}/v2/models/m/generate`,
      JSON.stringify({ text_input: "a", max_tokens: 2, seed: 7 }),
    );
    expect(await raw.json()).toEqual({
      model_name: "m",
      model_version: "1",
      tokens: [98, 99],
      text_output: "bc",
    });
    expect(engine.requests).toEqual([
      { prompt: [5], maxTokens: 3, temperature: 0 },
      { prompt: [97], maxTokens: 2, seed: 7 },
    ]);
    expect((await client.generate("m", [0])).tokens).toHaveLength(64);
  });

  it("refuses what is no request for it", async () => {
    const { url } = await serve({ engine: new Counter(), maxTokens: 10 });
    for (const [body, message] of [
      [{}, /either a prompt of token ids or text_input/],
      [{ prompt: [1], text_input: "a" }, /either a prompt/],
      [{ text_input: "a" }, /has no tokenizer: send token ids/],
      [{ prompt: [] }, /a prompt is a list of token ids, got \[\]/],
      [{ prompt: [1.5] }, /a list of token ids, got \[1.5\]/],
      [{ prompt: [1], max_tokens: 11 }, /max_tokens is a whole number from 1 to 10, got 11/],
      [{ prompt: [1], parameters: { stop: [] } }, /the parameter "stop" is text, a number or a truth value/],
    ] as const)
      for (const path of ["generate", "generate_stream"]) {
        const response = await post(`${url}/v2/models/m/${path}`, JSON.stringify(body));
        expect([response.status, await response.json()]).toEqual([
          400,
          { error: expect.stringMatching(message) },
        ]);
      }
    const infer = await post(`${url}/v2/models/m/infer`, inferJson());
    expect([infer.status, await infer.json()]).toEqual([
      501,
      { error: expect.stringMatching(/token by token: use generate/) },
    ]);
  });
});

describe("generate_stream", () => {
  it("sends an event for each token, with the text that it adds", async () => {
    const utf8 = [...Buffer.from("é!")];
    const engine = {
      async *submit() {
        for (const token of utf8) yield { token };
      },
    };
    const { url } = await serve({ engine, tokenizer: letters });
    const raw = await post(`${url}/v2/models/m/generate_stream`, '{"prompt":[1]}');
    expect(raw.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
    const events = (await raw.text())
      .split("\n\n")
      .filter(Boolean)
      .map((text) => JSON.parse(text.replace(/^data: /, "")));
    const head = { model_name: "m", model_version: "1" };
    expect(events).toEqual([
      { ...head, token: 0xc3, text_output: "" },
      { ...head, token: 0xa9, text_output: "é" },
      { ...head, token: 33, text_output: "!" },
    ]);
  });

  it("hands each token on before the next is there", async () => {
    const engine = new Counter(2);
    const { url } = await serve({ engine });
    const seen: number[] = [];
    for await (const { token } of deploy.client(url).generateStream("m", [0])) {
      seen.push(token);
      if (seen.length === 2) break; // a third never comes; leaving ends the engine's work
    }
    expect(seen).toEqual([1, 2]);
    await until(() => engine.stopped === 1);
  });

  it("ends with an error when the engine fails, or the time is over", async () => {
    const failing = new Counter(undefined, 2);
    const running = await serve({ engine: failing });
    const seen: number[] = [];
    const read = async (options = {}) => {
      for await (const { token } of deploy.client(running.url).generateStream("m", [0], options))
        seen.push(token);
    };
    await expect(read()).rejects.toThrow('model "m": the cache is full');
    expect(seen).toEqual([1, 2]);
    const broken = await post(`${running.url}/v2/models/m/generate`, '{"prompt":[1]}');
    expect([broken.status, await broken.json()]).toEqual([500, { error: 'model "m": the cache is full' }]);
    expect(await metric(running, label("INTERNAL"))).toBe(2);
    const stalled = new Counter(1);
    await running.load("m", { engine: stalled });
    await expect(read({ timeoutMs: 30 })).rejects.toThrow(/time was over before its last token/);
    const late = await post(
      `${running.url}/v2/models/m/generate`,
      '{"prompt":[1],"parameters":{"timeout":1000}}',
    );
    expect(late.status).toBe(504);
    await until(() => stalled.stopped === 2);
    expect(await metric(running, label("DEADLINE_EXCEEDED"))).toBe(2);
  });
});

describe("ModelStreamInfer", () => {
  it("streams the tokens of many requests on one call", async () => {
    const running = await serve({ engine: new Counter() });
    const client = await grpcClient(running.grpcUrl as string);
    const stream = client.stream();
    const prompt = { name: "prompt", datatype: "INT64", shape: [1], contents: {} };
    for (const start of [10, 20])
      stream.send({
        model_name: "m",
        id: String(start),
        inputs: [{ ...prompt, contents: { int64_contents: [start] } }],
        parameters: {
          max_tokens: { int64_param: 3 },
          triton_enable_empty_final_response: { bool_param: true },
        },
      });
    stream.send({ model_name: "m", id: "bad", inputs: [prompt] });
    stream.end();
    const tokens: Record<string, number[]> = { 10: [], 20: [] };
    const errors: unknown[] = [];
    let finals = 0;
    for await (const { error_message, infer_response } of stream.answers) {
      if (error_message !== "") {
        errors.push(error_message);
        continue;
      }
      const answer = infer_response as {
        id: string;
        outputs: unknown[];
        raw_output_contents: Uint8Array[];
        parameters: Record<string, { bool_param?: boolean }>;
      };
      if (answer.parameters.triton_final_response.bool_param) finals++;
      else tokens[answer.id].push(Number(Buffer.from(answer.raw_output_contents[0]).readBigInt64LE()));
    }
    client.close();
    expect(tokens).toEqual({ 10: [11, 12, 13], 20: [21, 22, 23] });
    expect(errors).toEqual([expect.stringMatching(/0 elements in int64_contents, its shape has 1/)]);
    expect(finals).toBe(2);
    expect(await metric(running, label("OK", "grpc"))).toBe(2);
    expect(await metric(running, 'mlsys_serve_tokens_total{model="m"}')).toBe(6);
  });
});
