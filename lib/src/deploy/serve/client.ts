/** A client of the Open Inference Protocol over HTTP, tensors as binary data; for any server that speaks it. */
import { ValueError } from "../../core/errors.js";
import type { Tensor } from "../../core/tensor.js";
import { needConcrete } from "../../ops/read.js";
import { denseFromBytes, elementBytes } from "../../runtime/dense.js";
import { getDevice } from "../../runtime/devices.js";
import { DATATYPES, datatypeOf, isDatatype } from "./datatypes.js";
import { CODES, type ServeCode, ServeError } from "./errors.js";
import { JSON_LENGTH } from "./http-codec.js";
import { type Latencies, type LatencyOptions, measure } from "./latency.js";
import type { IndexEntry } from "./models.js";
import type { Parameter, Parameters } from "./request.js";
import type { ModelMetadata } from "./service.js";

export interface CallOptions {
  /** Default: the version that answers. */
  readonly version?: number | string;
  /** Milliseconds; the server is told, and the client waits no longer. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export interface InferOptions extends CallOptions {
  /** Names of the outputs that are wanted. Default: all. */
  readonly outputs?: readonly string[];
  readonly id?: string;
  readonly parameters?: Parameters;
}

export interface InferAnswer {
  /** By name. */
  readonly outputs: Readonly<Record<string, Tensor>>;
  readonly id: string | undefined;
  readonly version: string | undefined;
  /** Milliseconds from the call to the last byte of the answer. */
  readonly ms: number;
}

export interface GenerateOptions extends CallOptions {
  readonly maxTokens?: number;
  readonly parameters?: Parameters;
}

/** A token as it comes. */
export interface TokenEvent {
  readonly token: number;
  /** What it adds to the text, if the server has a tokenizer. */
  readonly text_output?: string;
  readonly [property: string]: Parameter | undefined;
}

/** Longest line of a stream, in characters. */
const MOST_EVENT = 2 ** 20;

export class ServeClient {
  constructor(
    /** `http://127.0.0.1:8000` */
    readonly url: string,
  ) {
    if (!URL.canParse(url)) throw new ValueError(`client: ${JSON.stringify(url)} is no URL`);
  }

  async isLive(): Promise<boolean> {
    return (await fetch(this.at("/v2/health/live"))).ok;
  }

  /** Whether the server, or one model, answers. */
  async isReady(model?: string, version?: number | string): Promise<boolean> {
    const path = model === undefined ? "/v2/health/ready" : `${modelPath(model, version)}/ready`;
    return (await fetch(this.at(path))).ok;
  }

  /** Inputs, outputs and versions of a model. @throws ServeError NOT_FOUND */
  async metadata(model: string, version?: number | string): Promise<ModelMetadata> {
    return (await (await this.call("GET", modelPath(model, version), null)).json()) as ModelMetadata;
  }

  async index(): Promise<IndexEntry[]> {
    return (await (await this.call("POST", "/v2/repository/index", "{}")).json()) as IndexEntry[];
  }

  /** Has the server read a model's files anew; with `version`, has a loaded version answer from now on. */
  async load(model: string, options: { readonly version?: number | string } = {}): Promise<void> {
    const parameters = options.version === undefined ? {} : { version: String(options.version) };
    await this.call(
      "POST",
      `/v2/repository/models/${encodeURIComponent(model)}/load`,
      JSON.stringify({ parameters }),
    );
  }

  async unload(model: string): Promise<void> {
    await this.call("POST", `/v2/repository/models/${encodeURIComponent(model)}/unload`, "{}");
  }

  /**
   * The outputs of a model, by name.
   * @throws ServeError with the server's message and code; UNAVAILABLE if there is no answer: then nobody knows whether the
   *   model has run.
   */
  async infer(
    model: string,
    inputs: Readonly<Record<string, Tensor>>,
    options: InferOptions = {},
  ): Promise<InferAnswer> {
    const started = performance.now();
    const tensors = Object.entries(inputs).map(([name, x]) => {
      const dense = needConcrete(x, "client: an input");
      return { name, dense, data: elementBytes(dense) };
    });
    const json = Buffer.from(
      JSON.stringify({
        id: options.id,
        parameters: { ...options.parameters, ...timeoutOf(options), binary_data_output: true },
        inputs: tensors.map(({ name, dense, data }) => ({
          name,
          datatype: datatypeOf(dense.dtype),
          shape: dense.shape,
          parameters: { binary_data_size: data.length },
        })),
        outputs: options.outputs?.map((name) => ({ name })),
      }),
    );
    const response = await this.call(
      "POST",
      `${modelPath(model, options.version)}/infer`,
      Buffer.concat([json, ...tensors.map(({ data }) => data)]),
      options,
      { "content-type": "application/octet-stream", [JSON_LENGTH]: String(json.length) },
    );
    const body = new Uint8Array(await response.arrayBuffer());
    return { ...decoded(body, response.headers.get(JSON_LENGTH)), ms: performance.now() - started };
  }

  /** All tokens for a prompt of token ids or of text. @throws ServeError as `infer` */
  async generate(
    model: string,
    prompt: readonly number[] | string,
    options: GenerateOptions = {},
  ): Promise<{ readonly tokens: readonly number[]; readonly text?: string }> {
    const response = await this.call(
      "POST",
      `${modelPath(model)}/generate`,
      promptBody(prompt, options),
      options,
    );
    const { tokens, text_output: text } = (await response.json()) as {
      tokens: number[];
      text_output?: string;
    };
    return { tokens, text };
  }

  /** The tokens as they come; leaving the loop ends the generation. @throws ServeError as `infer`, also between two tokens */
  async *generateStream(
    model: string,
    prompt: readonly number[] | string,
    options: GenerateOptions = {},
  ): AsyncGenerator<TokenEvent, void> {
    const response = await this.call(
      "POST",
      `${modelPath(model)}/generate_stream`,
      promptBody(prompt, options),
      options,
    );
    let text = "";
    const decoder = new TextDecoder();
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      text += decoder.decode(chunk, { stream: true });
      for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
        const event = JSON.parse(text.slice(0, end).replace(/^data: /, "")) as TokenEvent & {
          error?: string;
        };
        text = text.slice(end + 2);
        if (event.error !== undefined) throw new ServeError("INTERNAL", event.error);
        yield event;
      }
      if (text.length > MOST_EVENT) throw new ServeError("INTERNAL", "the server's event has no end");
    }
  }

  /**
   * Sends the same request again and again, so many at a time.
   * @example
   * const server = await deploy.serve({ models: { double: { model: (x: Tensor) => x.mul(2), inputs: ["float32(n, 3)"], inputNames: ["x"] } } });
   * const latencies = await deploy.client(server.url).latencies("double", { x: tensor([[1, 2, 3]]) }, { requests: 20 });
   * await server.close();
   * viz.histogram(latencies.milliseconds, { xLabel: "ms" });
   * latencies.milliseconds.length // 20
   */
  async latencies(
    model: string,
    inputs: Readonly<Record<string, Tensor>>,
    options: LatencyOptions & InferOptions = {},
  ): Promise<Latencies> {
    return measure(async () => (await this.infer(model, inputs, options)).ms, options);
  }

  private at(path: string): string {
    return `${this.url.replace(/\/$/, "")}${path}`;
  }

  private async call(
    method: "GET" | "POST",
    path: string,
    body: string | Uint8Array | null,
    { timeoutMs, signal }: CallOptions = {},
    headers: Record<string, string> = { "content-type": "application/json" },
  ): Promise<Response> {
    // the server's own answer to a request that is late should come first
    const late = timeoutMs === undefined ? [] : [AbortSignal.timeout(Math.ceil(timeoutMs) + 1000)];
    let response: Response;
    try {
      response = await fetch(this.at(path), {
        method,
        body: body as BodyInit | null,
        ...(body === null ? {} : { headers }),
        signal: AbortSignal.any([...late, ...(signal ? [signal] : [])]),
      });
    } catch (cause) {
      throw unanswered(this.url, cause);
    }
    if (response.ok) return response;
    const text = await response.text().catch(() => "");
    const retryAfter = Number(response.headers.get("retry-after"));
    throw new ServeError(
      codeOf(response.status),
      messageOf(text) ?? `${response.status} ${response.statusText}`,
      {
        status: response.status,
        ...(retryAfter > 0 ? { retryAfter } : {}),
      },
    );
  }
}

function unanswered(url: string, cause: unknown): ServeError {
  const { name, message, cause: inner } = cause as Error;
  const why = inner instanceof Error ? inner.message : message;
  if (name === "TimeoutError")
    return new ServeError("DEADLINE_EXCEEDED", `${url}: no answer in time`, { cause });
  if (name === "AbortError")
    return new ServeError("CANCELLED", `${url}: the request was called off`, { cause });
  return new ServeError("UNAVAILABLE", `${url}: no answer: ${why}`, { cause });
}

const codeOf = (status: number): ServeCode =>
  (Object.entries(CODES).find(([, { http }]) => http === status)?.[0] as ServeCode | undefined) ??
  (status >= 500 ? "INTERNAL" : "INVALID_ARGUMENT");

function messageOf(text: string): string | undefined {
  try {
    const { error } = JSON.parse(text) as { error?: unknown };
    return typeof error === "string" ? error : undefined;
  } catch {
    return undefined;
  }
}

const modelPath = (model: string, version?: number | string): string =>
  `/v2/models/${encodeURIComponent(model)}${version === undefined ? "" : `/versions/${encodeURIComponent(String(version))}`}`;

const timeoutOf = ({ timeoutMs }: CallOptions): Parameters =>
  timeoutMs === undefined ? {} : { timeout: Math.ceil(1000 * timeoutMs) };

const promptBody = (prompt: readonly number[] | string, options: GenerateOptions): string =>
  JSON.stringify({
    ...(typeof prompt === "string" ? { text_input: prompt } : { prompt }),
    parameters: {
      ...options.parameters,
      ...timeoutOf(options),
      ...(options.maxTokens === undefined ? {} : { max_tokens: options.maxTokens }),
    },
  });

interface RawOutput {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly parameters?: { readonly binary_data_size?: number };
  readonly data?: readonly unknown[];
}

/** @throws ServeError INTERNAL for an answer that is malformed. */
function decoded(body: Uint8Array, jsonLength: string | null): Omit<InferAnswer, "ms"> {
  const length = jsonLength === null ? body.length : Number(jsonLength);
  const json = JSON.parse(new TextDecoder().decode(body.subarray(0, length))) as {
    id?: string;
    model_version?: string;
    outputs: readonly RawOutput[];
  };
  let at = length;
  const outputs = json.outputs.map(({ name, datatype, shape, parameters, data }): [string, Tensor] => {
    const dtype = isDatatype(datatype) ? DATATYPES[datatype].dtype : null;
    const size = parameters?.binary_data_size;
    if (dtype === null)
      throw new ServeError("INTERNAL", `output "${name}" is ${datatype}, for which there is no dtype`);
    if (size === undefined || data !== undefined)
      throw new ServeError("INTERNAL", `output "${name}" came as JSON although binary data was asked for`);
    const bytes = body.subarray(at, at + size);
    at += size;
    return [name, denseFromBytes(bytes, shape, dtype, getDevice())];
  });
  return { outputs: Object.fromEntries(outputs), id: json.id, version: json.model_version };
}

/**
 * A client for a server that speaks the Open Inference Protocol (KServe v2): this library's, Triton, KServe.
 * @throws ValueError if `url` is none.
 * @example deploy.client("http://127.0.0.1:8000").url // "http://127.0.0.1:8000"
 */
export function client(url: string): ServeClient {
  return new ServeClient(url);
}
