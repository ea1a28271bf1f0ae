/** ModelServer: models behind the Open Inference Protocol, over HTTP and gRPC. */
import { readFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { FastifyInstance } from "fastify";
import { ValueError } from "../../core/errors.js";
import type { ModelOptions } from "./config.js";
import type { ServeError } from "./errors.js";
import type { ServedModel } from "./given.js";
import { type GrpcServer, grpcServer } from "./grpc.js";
import { httpApp, type RequestLog } from "./http.js";
import { createMetrics } from "./metrics.js";
import { type AddOptions, type IndexEntry, ModelTable } from "./models.js";
import { InferenceService, type ModelMetadata } from "./service.js";

export interface ServeOptions {
  /** Models by name. */
  readonly models?: Readonly<Record<string, ServedModel>>;
  /** Folders of models: `NAME/VERSION/model.onnx`. All of their models are loaded. */
  readonly repositories?: readonly string[];
  /** For models that do not say otherwise. */
  readonly defaults?: ModelOptions;
  /** Default 0: a free port. */
  readonly port?: number;
  /** `false`: no gRPC. Default 0: a free port. */
  readonly grpcPort?: number | false;
  /** Default 127.0.0.1: this machine alone. */
  readonly host?: string;
  /** Longest request, in bytes. Default 64 MiB. */
  readonly maxBody?: number;
  /** Told of every request for inference that is over. */
  readonly log?: (entry: RequestLog) => void;
}

export interface CloseOptions {
  /** Milliseconds for which the server says "not ready" and still takes requests, so that those who watch it can turn away. Default 0. */
  readonly graceMs?: number;
  /** Milliseconds that requests have to be answered; then they are told that they will not be. Default 30,000. */
  readonly drainMs?: number;
}

const MAX_BODY = 64 * 2 ** 20;
const SWEEP_MS = 20;

const versionOfLibrary = (): string =>
  (JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8")) as { version: string })
    .version;

/** Models that answer requests; made by `serve`. */
export class ModelServer {
  private closing: Promise<void> | null = null;
  private readonly graceOver = new AbortController();

  private constructor(
    private readonly service: InferenceService,
    private readonly app: FastifyInstance,
    /** `http://127.0.0.1:43210` */
    readonly url: string,
    private readonly grpc: GrpcServer | null,
    /** `127.0.0.1:43211`, as clients of gRPC name it; `null` without gRPC. */
    readonly grpcUrl: string | null,
  ) {}

  /** @throws ServeError for the first model that can't be loaded; Error EADDRINUSE for a port that is taken. */
  static async start(options: ServeOptions = {}): Promise<ModelServer> {
    const {
      models = {},
      repositories = [],
      defaults = {},
      port = 0,
      grpcPort = 0,
      host = "127.0.0.1",
      maxBody = MAX_BODY,
    } = options;
    if (!Number.isSafeInteger(maxBody) || maxBody < 1)
      throw new ValueError(`serve: maxBody is a number of bytes, got ${maxBody}`);
    const metrics = await createMetrics(() => table.all());
    const table: ModelTable = new ModelTable(repositories, defaults, (name, version) =>
      metrics.observer(name, version),
    );
    const service = new InferenceService(table, metrics, versionOfLibrary());
    const limits = { maxBody, log: options.log };
    const app = await httpApp(service, limits);
    const grpc = grpcPort === false ? null : await grpcServer(service, limits);
    try {
      await table.addRepositories();
      for (const [name, model] of Object.entries(models)) await table.add(name, model);
      await app.listen({ port, host });
      const bound = grpc && grpcPort !== false ? await grpc.listen(host, grpcPort) : 0;
      const url = (at: number): string => `${host.includes(":") ? `[${host}]` : host}:${at}`;
      const { port: listening } = app.server.address() as AddressInfo;
      return new ModelServer(service, app, `http://${url(listening)}`, grpc, grpc && url(bound));
    } catch (error) {
      await app.close();
      grpc?.force();
      await table.close("the server did not start");
      throw error;
    }
  }

  /**
   * Loads a model, or a further version of one. Requests go to it when it is loaded and warm; none is lost on the way.
   * @returns the version
   * @throws ServeError if it can't be loaded; what was there answers still.
   */
  load(name: string, model: ServedModel, options: AddOptions = {}): Promise<string> {
    return this.service.models.add(name, model, options);
  }

  /** Reads a model's files anew: versions that are new or changed are loaded. @returns the version that answers */
  reload(name: string): Promise<string> {
    return this.service.models.reload(name);
  }

  /** The same for every model that has files, and for those that repositories hold by now. @returns what failed: it is served as before */
  reloadAll(): Promise<{ readonly name: string; readonly error: ServeError }[]> {
    return this.service.models.reloadAll();
  }

  /** Ends a model or one version, when it has answered what it has. @throws ServeError NOT_FOUND */
  unload(name: string, version?: number | string): Promise<void> {
    return this.service.models.unload(name, version);
  }

  /** Lets a loaded version answer requests that name none. @throws ServeError NOT_FOUND */
  activate(name: string, version: number | string): void {
    this.service.models.activate(name, version);
  }

  /** Back to the version that answered before. @returns it. @throws ServeError FAILED_PRECONDITION if it is not loaded. */
  rollback(name: string): string {
    return this.service.models.rollback(name);
  }

  /** What is loaded, and what could be. */
  index(): Promise<IndexEntry[]> {
    return this.service.index();
  }

  /** Inputs, outputs and versions of a model. @throws ServeError NOT_FOUND */
  metadata(name: string, version?: number | string): ModelMetadata {
    return this.service.metadata(name, version === undefined ? "" : String(version));
  }

  /** What Prometheus reads. */
  metrics(): Promise<string> {
    return this.service.metrics.text();
  }

  /** Says "not ready", takes no more requests, answers those it has, ends its threads. Called again, it ends the time of grace. */
  close(options: CloseOptions = {}): Promise<void> {
    if (this.closing) this.graceOver.abort();
    this.closing ??= this.end(options);
    return this.closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private async end({ graceMs = 0, drainMs = 30_000 }: CloseOptions): Promise<void> {
    this.service.becomeUnready();
    if (graceMs > 0) await sleep(graceMs, undefined, { signal: this.graceOver.signal }).catch(() => {});
    this.service.stopTaking();
    const { models } = this.service;
    const late = new AbortController();
    const force = sleep(drainMs, undefined, { signal: late.signal }).then(
      async () => {
        await models.close(`the server closes, and ${drainMs} ms were not enough`);
        this.app.server.closeAllConnections();
        this.grpc?.force();
      },
      () => {},
    );
    // connections that clients keep are idle when their last answer is out
    const sweep = setInterval(() => this.app.server.closeIdleConnections(), SWEEP_MS);
    await Promise.all([this.app.close(), this.grpc?.close(), models.close(null)]);
    clearInterval(sweep);
    late.abort();
    await force;
  }
}

/**
 * Starts a server for models: files, folders of versions, modules in code, engines that answer token by token.
 * @throws ServeError for the first model that can't be loaded; Error EADDRINUSE for a port that is taken.
 * @example
 * const server = await deploy.serve({ models: {} }); // { digits: "digits.onnx", double: { model: (x: Tensor) => x.mul(2), inputs: ["float32(n, 3)"] } }
 * const live = await deploy.client(server.url).isLive();
 * await server.close();
 * live // true
 */
export function serve(options: ServeOptions = {}): Promise<ModelServer> {
  return ModelServer.start(options);
}
