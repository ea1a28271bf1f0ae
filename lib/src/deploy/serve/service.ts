/** The Open Inference Protocol's operations, without a protocol: HTTP and gRPC are two ways to say them. */
import type { TensorSpec } from "./backend.js";
import { configAsJson } from "./config.js";
import { asServeError, ServeError } from "./errors.js";
import type { Metrics } from "./metrics.js";
import type { IndexEntry, ModelTable } from "./models.js";
import type { InferRequest, InferResult, RequestContext } from "./request.js";
import { type GenerateRequest, type StreamedToken, streamTokens, tokenRequest } from "./tokens.js";

export const SERVER_NAME = "mlsys";
export const EXTENSIONS = [
  "binary_tensor_data",
  "generate",
  "model_configuration",
  "model_repository",
  "parameters",
  "schedule_policy",
];

export interface ModelMetadata {
  readonly name: string;
  readonly versions: readonly string[];
  readonly platform: string;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
}

export interface Answered extends InferResult {
  readonly version: string;
}

export type Protocol = "http" | "grpc";

/** What generate requests take, as a model's metadata says it. */
const TOKEN_SPECS: Pick<ModelMetadata, "platform" | "inputs" | "outputs"> = {
  platform: "mlsys_tokens",
  inputs: [{ name: "prompt", datatype: "INT64", shape: [-1] }],
  outputs: [{ name: "token", datatype: "INT64", shape: [1] }],
};

export class InferenceService {
  private stage: "open" | "unready" | "closed" = "open";

  constructor(
    readonly models: ModelTable,
    readonly metrics: Metrics,
    readonly serverVersion: string,
  ) {}

  /** Says "not ready" from now on; requests are still answered. */
  becomeUnready(): void {
    this.stage = "unready";
  }

  /** Takes no new requests from now on. */
  stopTaking(): void {
    this.stage = "closed";
  }

  get isClosing(): boolean {
    return this.stage === "closed";
  }

  isReady(): boolean {
    return this.stage === "open" && this.models.isReady();
  }

  /** @throws ServeError UNAVAILABLE when the server closes. */
  checkOpen(): void {
    if (this.stage === "closed")
      throw new ServeError("UNAVAILABLE", "the server is closing", { retryAfter: 1 });
  }

  /** @throws ServeError NOT_FOUND */
  isModelReady(name: string, version = ""): boolean {
    if (this.models.tokens(name) !== null) return true;
    try {
      return this.models.version(name, version).state === "READY";
    } catch (error) {
      if (asServeError(error).code === "UNAVAILABLE") return false;
      throw error;
    }
  }

  metadata(name: string, version = ""): ModelMetadata {
    if (this.models.tokens(name) !== null)
      return { name, versions: this.models.numbers(name), ...TOKEN_SPECS };
    const { platform, inputs, outputs } = this.models.version(name, version);
    return { name, versions: this.models.numbers(name), platform, inputs, outputs };
  }

  /** Triton's ModelConfig as JSON: shapes without the rows' axis where requests share runs. */
  config(name: string, version = ""): Readonly<Record<string, unknown>> {
    if (this.models.tokens(name) !== null)
      return { name, platform: TOKEN_SPECS.platform, model_transaction_policy: { decoupled: true } };
    const found = this.models.version(name, version);
    const batched = found.alone === null;
    const tensors = (specs: readonly TensorSpec[]) =>
      specs.map((spec) => ({
        name: spec.name,
        data_type: `TYPE_${spec.datatype}`,
        dims: batched ? spec.shape.slice(1) : spec.shape,
      }));
    return {
      name,
      platform: found.platform,
      backend: SERVER_NAME,
      ...configAsJson(found.config),
      ...(batched ? {} : { max_batch_size: 0 }),
      input: tensors(found.inputs),
      output: tensors(found.outputs),
    };
  }

  /** @throws ServeError, after it was counted. */
  async infer(
    protocol: Protocol,
    name: string,
    version: string,
    request: InferRequest,
    context: RequestContext,
  ): Promise<Answered> {
    return this.counted(protocol, name, version, async () => {
      this.checkOpen();
      const found = this.models.version(name, version);
      const result = await found.infer(request, context);
      const wanted = request.outputs;
      const outputs = wanted
        ? wanted.map((output) => result.outputs.find((x) => x.name === output) as (typeof result.outputs)[0])
        : result.outputs;
      return { ...result, outputs, version: found.number };
    });
  }

  /** The tokens of a request, one by one. @throws ServeError, also between two tokens */
  async *generate(
    protocol: Protocol,
    name: string,
    request: GenerateRequest,
    context: RequestContext,
  ): AsyncGenerator<StreamedToken, void> {
    const started = performance.now();
    let code = "CANCELLED"; // of a reader that stops reading
    try {
      this.checkOpen();
      const model = this.models.tokens(name);
      if (model === null)
        throw new ServeError("UNIMPLEMENTED", `model "${name}" does not answer token by token: use infer`);
      const label = `model "${name}"`;
      for await (const token of streamTokens(label, model, tokenRequest(label, model, request), context)) {
        this.metrics.token(name);
        yield token;
      }
      code = "OK";
    } catch (error) {
      const known = asServeError(error);
      code = known.code;
      throw known;
    } finally {
      this.count(protocol, name, "", code, started);
    }
  }

  index(): Promise<IndexEntry[]> {
    return this.models.index();
  }

  private async counted<T extends { readonly version: string }>(
    protocol: Protocol,
    name: string,
    version: string,
    work: () => Promise<T>,
  ): Promise<T> {
    const started = performance.now();
    try {
      const result = await work();
      this.count(protocol, name, result.version, "OK", started);
      return result;
    } catch (error) {
      const known = asServeError(error);
      this.count(protocol, name, version, known.code, started);
      throw known;
    }
  }

  private count(protocol: Protocol, name: string, version: string, code: string, started: number): void {
    const known = code !== "NOT_FOUND"; // names that clients make up are no labels
    this.metrics.request(
      { model: known ? name : "", version: known ? version : "", protocol, code },
      (performance.now() - started) / 1000,
    );
  }
}
