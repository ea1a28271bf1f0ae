/** A GPT-2 as Hugging Face's transformers wrote it, behind the server: what it gives over HTTP and gRPC, in code and by command. */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { library } from "../../support/built-library.js";
import { start } from "../../support/cli.js";
import { expectedFile } from "../../support/expected.js";
import { deploy, grpcClient, type ModelServer, post, until } from "../../support/serving.js";

const { data } = library;

interface Expected {
  readonly config: Readonly<Record<"vocabulary" | "context" | "size" | "depth" | "heads", number>>;
  readonly prompts: number[][];
  readonly greedy: number[][];
}
const { config, prompts, greedy } = expectedFile<Expected>("gpt2.json");
const weights = fileURLToPath(new URL("../../expected/gpt2.safetensors", import.meta.url));
const LENGTH = greedy[0].length;

const root = mkdtempSync(join(tmpdir(), "mlsys-gpt2-"));
afterAll(() => rmSync(root, { recursive: true }));
const CONFIG = {
  model_type: "gpt2",
  activation_function: "gelu_new",
  vocab_size: config.vocabulary,
  n_positions: config.context,
  n_embd: config.size,
  n_layer: config.depth,
  n_head: config.heads,
};
let count = 0;
function folder(changes: Readonly<Record<string, unknown>> = {}): string {
  const made = join(root, `gpt2-${count++}`);
  mkdirSync(made);
  writeFileSync(join(made, "config.json"), JSON.stringify({ ...CONFIG, ...changes }));
  copyFileSync(weights, join(made, "model.safetensors"));
  return made;
}

let server: ModelServer | null = null;
afterEach(async () => {
  await server?.close({ drainMs: 0 });
  server = null;
});
async function serving(folderOfModel: string): Promise<ModelServer> {
  server = await deploy.serve({ models: { gpt2: folderOfModel } });
  return server;
}

describe("a folder of Hugging Face's hub", () => {
  it("answers with transformers' own tokens, many requests at once", async () => {
    const { url } = await serving(folder());
    const client = deploy.client(url);
    const asked = { maxTokens: LENGTH, parameters: { temperature: 0 } };
    const answers = await Promise.all(prompts.map((prompt) => client.generate("gpt2", prompt, asked)));
    expect(answers.map(({ tokens }) => tokens)).toEqual(greedy);
    const streamed: number[] = [];
    for await (const { token } of client.generateStream("gpt2", prompts[3], asked)) streamed.push(token);
    expect(streamed).toEqual(greedy[3]);
  });

  it("streams over gRPC", async () => {
    const { grpcUrl } = await serving(folder());
    const client = await grpcClient(grpcUrl as string);
    const stream = client.stream();
    const contents = { int64_contents: prompts[2] };
    stream.send({
      model_name: "gpt2",
      inputs: [{ name: "prompt", datatype: "INT64", shape: [prompts[2].length], contents }],
      parameters: { max_tokens: { int64_param: LENGTH }, temperature: { double_param: 0 } },
    });
    stream.end();
    const tokens: number[] = [];
    for await (const { error_message, infer_response } of stream.answers) {
      expect(error_message).toBe("");
      const [bytes] = (infer_response as { raw_output_contents: Uint8Array[] }).raw_output_contents;
      if (bytes) tokens.push(Number(Buffer.from(bytes).readBigInt64LE()));
    }
    client.close();
    expect(tokens).toEqual(greedy[2]);
  });

  it("ends at its own end of text, unless it is asked not to", async () => {
    const stop = greedy[1][4];
    const { url } = await serving(folder({ eos_token_id: stop }));
    const client = deploy.client(url);
    const parameters = { temperature: 0 };
    const { tokens } = await client.generate("gpt2", prompts[1], { maxTokens: LENGTH, parameters });
    expect(tokens).toEqual(greedy[1].slice(0, greedy[1].indexOf(stop) + 1));
    const all = { maxTokens: LENGTH, parameters: { ...parameters, ignore_eos: true } };
    expect((await client.generate("gpt2", prompts[1], all)).tokens).toEqual(greedy[1]);
  });

  it("takes text where it has a tokenizer", async () => {
    const made = folder();
    const tokenizer = data.trainBpe(["aaabdaaabac"], { vocabSize: 258 });
    await data.saveTokenizer(join(made, "tokenizer.json"), tokenizer);
    const wide = new library.nn.CausalLM({ vocabulary: 258, context: 32, size: 16, depth: 1, heads: 2 });
    await using own = await deploy.serve({
      models: { wide: deploy.languageModel(new deploy.GenerationEngine(wide), { tokenizer }) },
    });
    const { tokens, text } = await deploy.client(own.url).generate("wide", "aab", { maxTokens: 3 });
    expect(text).toBe(tokenizer.decode(tokens));
    const { tokenizer: read } = await deploy.loadPretrained(made);
    expect(read?.encode("aab")).toEqual(tokenizer.encode("aab"));
  });

  it("refuses parameters that make no sense, and says which there are", async () => {
    const { url } = await serving(folder());
    for (const [parameters, message] of [
      [{ temperature: -1 }, /temperature is a number from 0, got -1/],
      [{ top_p: 2 }, /topP is above 0 and at most 1, got 2/],
      [{ seed: "a" }, /seed is a number, got "a"/],
      [{ topp: 0.5 }, /there is no parameter "topp"; known: temperature, top_k, top_p/],
      [{ __proto__: null, constructor: 1 }, /there is no parameter "constructor"/],
    ] as const)
      for (const path of ["generate", "generate_stream"]) {
        const answer = await post(
          `${url}/v2/models/gpt2/${path}`,
          JSON.stringify({ prompt: [1], max_tokens: 2, parameters }),
        );
        expect([answer.status, await answer.json()]).toEqual([
          400,
          { error: expect.stringMatching(message) },
        ]);
      }
    const outside = await post(`${url}/v2/models/gpt2/generate`, '{"prompt":[83],"max_tokens":2}');
    expect([outside.status, await outside.json()]).toEqual([
      400,
      { error: "generation: tokens are 0 … 82, got 83" },
    ]);
  });

  it("answers 429 when too many wait, and frees what a client leaves", async () => {
    const model = new library.nn.CausalLM({ vocabulary: 20, context: 4096, size: 16, depth: 1, heads: 2 });
    const engine = new deploy.GenerationEngine(model, { maxSequences: 1, maxWaiting: 1 });
    server = await deploy.serve({ models: { slow: deploy.languageModel(engine) } });
    const ask = (signal?: AbortSignal) =>
      fetch(`${server?.url}/v2/models/slow/generate_stream`, {
        method: "POST",
        body: '{"prompt":[1],"max_tokens":4000}',
        headers: { "content-type": "application/json" },
        signal,
      });
    const gone = new AbortController();
    const first = ask(gone.signal);
    await until(() => engine.stats.running === 1);
    const second = ask(gone.signal);
    second.catch(() => {});
    await until(() => engine.stats.waiting === 1);
    const third = await ask();
    expect([third.status, third.headers.get("retry-after")]).toEqual([429, "1"]);
    await third.body?.cancel();
    const { body } = await first;
    body?.cancel().catch(() => {});
    gone.abort();
    await until(() => engine.stats.running === 0 && engine.stats.waiting === 0);
    expect(engine.stats.blocksUsed).toBe(0);
    engine.close();
  });

  it.each<[string, Record<string, unknown>, RegExp]>([
    ["of another kind", { model_type: "llama" }, /model_type is "llama"; what can be read is "gpt2"/],
    ["of another activation", { activation_function: "relu" }, /activation_function is "relu"/],
    ["without sizes", { n_embd: undefined }, /n_embd is a whole number from 1, got undefined/],
    ["of sizes that its weights can't have", { vocab_size: 2 ** 40 }, /bytes can't hold the \d+ weights/],
    ["of other sizes", { n_layer: 1 }, /blocks\.1\./],
  ])("is refused: one %s", async (_, changes, message) => {
    await expect(deploy.loadPretrained(folder(changes))).rejects.toThrow(message);
  });

  it("is served by the command", async () => {
    const { child, ended } = start(["serve", folder(), "--port", "0", "--no-grpc"]);
    let out = "";
    child.stdout?.on("data", (chunk) => {
      out += chunk;
    });
    await until(() => /HTTP http:\S+\n/.test(out) || child.exitCode !== null);
    expect(out).toContain("(mlsys_tokens)");
    const url = /HTTP (http:\S+)/.exec(out)?.[1] as string;
    const asked = { maxTokens: LENGTH, parameters: { temperature: 0 } };
    const [, name] = /✓ (\S+) 1 \(mlsys_tokens\)/.exec(out) as RegExpExecArray;
    expect((await deploy.client(url).generate(name, prompts[0], asked)).tokens).toEqual(greedy[0]);
    child.kill("SIGTERM");
    expect((await ended).code).toBe(0);
  });
});
