/** The protocol over HTTP: one route per operation. */
import { randomUUID } from "node:crypto";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { asServeError, ServeError } from "./errors.js";
import { decodeInfer, encodeResponse, JSON_LENGTH, parametersOf, parseJson } from "./http-codec.js";
import { eventStream, generateBody, generated } from "./http-generate.js";
import type { RequestContext, Parameters as RequestParameters } from "./request.js";
import { EXTENSIONS, type InferenceService, SERVER_NAME } from "./service.js";

export interface HttpOptions {
  /** Longest body, in bytes. */
  readonly maxBody: number;
  /** Told of every request for inference that is over. */
  readonly log?: (entry: RequestLog) => void;
}

export interface RequestLog {
  readonly id: string;
  readonly protocol: "http" | "grpc";
  readonly model: string;
  readonly code: string;
  /** Milliseconds. */
  readonly ms: number;
}

/** Ids that clients bring are for logs and headers. */
const ID = /^[\w.:-]{1,128}$/;

/** Milliseconds in which a request must have arrived. */
const ARRIVAL_MS = 120_000;

type Params = { readonly name: string; readonly version?: string };

/** @returns an application that does not listen yet */
export async function httpApp(
  service: InferenceService,
  { maxBody, log }: HttpOptions,
): Promise<FastifyInstance> {
  const { default: Fastify } = await import("fastify");
  const app: FastifyInstance = Fastify({
    bodyLimit: maxBody,
    requestTimeout: ARRIVAL_MS,
    return503OnClosing: false, // requests that come too late get the protocol's answer
    forceCloseConnections: "idle",
    routerOptions: { maxParamLength: 256 },
    genReqId: ({ headers }) => {
      const given = headers["x-request-id"];
      return typeof given === "string" && ID.test(given) ? given : randomUUID();
    },
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
  app.addHook("onRequest", async (request, reply) => {
    reply.header("x-request-id", request.id);
    if (service.isClosing) reply.header("connection", "close");
    const coding = request.headers["content-encoding"];
    if (coding !== undefined && coding !== "identity")
      throw new ServeError("INVALID_ARGUMENT", "bodies are read as they are: send no content-encoding", {
        status: 415,
      });
  });
  app.setErrorHandler((error: Error & { statusCode?: number }, _request, reply) =>
    sendError(reply, known(error)),
  );
  app.setNotFoundHandler((request, reply) =>
    sendError(
      reply,
      new ServeError("NOT_FOUND", `there is no ${request.method} ${request.url.slice(0, 200)}`),
    ),
  );
  healthRoutes(app, service);
  modelRoutes(app, service);
  repositoryRoutes(app, service);
  inferRoutes(app, service, log);
  app.get("/metrics", async (_request, reply) =>
    reply.type(service.metrics.contentType).send(await service.metrics.text()),
  );
  return app;
}

/** Errors of the HTTP library's own have a status, and a message for the client. */
function known(error: Error & { statusCode?: number }): ServeError {
  const status = error.statusCode;
  if (error instanceof ServeError || status === undefined || status >= 500) return asServeError(error);
  return new ServeError(status === 413 ? "RESOURCE_EXHAUSTED" : "INVALID_ARGUMENT", error.message, {
    status,
  });
}

export function sendError(reply: FastifyReply, error: ServeError): FastifyReply {
  if (error.retryAfter !== undefined) reply.header("retry-after", String(error.retryAfter));
  return reply
    .code(error.status)
    .type("application/json")
    .send(JSON.stringify({ error: error.message }));
}

function healthRoutes(app: FastifyInstance, service: InferenceService): void {
  app.get("/v2/health/live", async () => ({ live: true }));
  app.get("/v2/health/ready", async (_request, reply) => {
    const ready = service.isReady();
    return reply.code(ready ? 200 : 503).send({ live: true, ready });
  });
  app.get("/v2", async () => ({ name: SERVER_NAME, version: service.serverVersion, extensions: EXTENSIONS }));
}

/** A path with and without a version. */
function versioned(path: string): string[] {
  return [`/v2/models/:name${path}`, `/v2/models/:name/versions/:version${path}`];
}

function modelRoutes(app: FastifyInstance, service: InferenceService): void {
  for (const url of versioned(""))
    app.get<{ Params: Params }>(url, async ({ params: { name, version } }) =>
      service.metadata(name, version),
    );
  for (const url of versioned("/config"))
    app.get<{ Params: Params }>(url, async ({ params: { name, version } }) => service.config(name, version));
  for (const url of versioned("/ready"))
    app.get<{ Params: Params }>(url, async ({ params: { name, version } }, reply) => {
      const ready = service.isModelReady(name, version);
      return reply.code(ready ? 200 : 503).send({ name, ready });
    });
}

function repositoryRoutes(app: FastifyInstance, service: InferenceService): void {
  const parameters = (body: unknown): RequestParameters =>
    parametersOf(bodyJson(body).parameters, "the request");
  app.post("/v2/repository/index", async ({ body }) => {
    const only = bodyJson(body).ready === true;
    return (await service.index()).filter(({ state }) => !only || state === "READY");
  });
  app.post<{ Params: Params }>("/v2/repository/models/:name/load", async ({ params: { name }, body }) => {
    await changeModel(service, name, parameters(body));
    return {};
  });
  app.post<{ Params: Params }>("/v2/repository/models/:name/unload", async ({ params: { name }, body }) => {
    parameters(body);
    await service.models.unload(name);
    return {};
  });
}

/**
 * `load`, with parameters: `config`, a configuration as JSON text; `version`, a loaded version that is to answer from now
 * on (roll back, or forward).
 */
export async function changeModel(
  service: InferenceService,
  name: string,
  parameters: RequestParameters,
): Promise<void> {
  const { config, version } = parameters;
  if (version !== undefined) return service.models.activate(name, String(version));
  if (config !== undefined && typeof config !== "string")
    throw new ServeError("INVALID_ARGUMENT", "config is a configuration's JSON, as text");
  await service.models.reload(
    name,
    config === undefined ? undefined : parseJson(Buffer.from(config), "config"),
  );
}

const bodyJson = (body: unknown): Readonly<Record<string, unknown>> =>
  Buffer.isBuffer(body) && body.length > 0 ? parseJson(body) : {};

function inferRoutes(app: FastifyInstance, service: InferenceService, log: HttpOptions["log"]): void {
  const logged = async (
    request: FastifyRequest,
    model: string,
    work: () => Promise<unknown>,
  ): Promise<void> => {
    const started = performance.now();
    let code = "OK";
    try {
      await work();
    } catch (error) {
      code = asServeError(known(error as Error)).code;
      throw error;
    } finally {
      log?.({ id: request.id, protocol: "http", model, code, ms: performance.now() - started });
    }
  };
  for (const url of versioned("/infer"))
    app.post<{ Params: Params }>(url, async (request, reply) => {
      const { name, version = "" } = request.params;
      await logged(request, name, async () => {
        const header = request.headers[JSON_LENGTH];
        const asked = decodeInfer(bufferOf(request), Array.isArray(header) ? header[0] : header);
        const context = contextOf(reply, asked.parameters);
        const answer = await service.infer("http", name, version, asked, context);
        const head = {
          model_name: name,
          model_version: answer.version,
          ...(asked.id === undefined ? {} : { id: asked.id }),
        };
        const { body, jsonLength } = encodeResponse(head, answer.outputs, asked.isBinary);
        if (jsonLength !== null) reply.header(JSON_LENGTH, String(jsonLength));
        return reply.type(jsonLength === null ? "application/json" : "application/octet-stream").send(body);
      });
      return reply;
    });
  for (const [path, answer] of [
    ["/generate", generated],
    ["/generate_stream", eventStream],
  ] as const)
    for (const url of versioned(path))
      app.post<{ Params: Params }>(url, async (request, reply) => {
        const { name } = request.params;
        await logged(request, name, () => {
          const asked = generateBody(parseJson(bufferOf(request)));
          return answer(service, name, asked, contextOf(reply, asked.parameters), reply);
        });
        return reply;
      });
}

const bufferOf = ({ body }: FastifyRequest): Buffer => (Buffer.isBuffer(body) ? body : Buffer.alloc(0));

/** @throws ServeError INVALID_ARGUMENT for a timeout that is none. */
function contextOf(reply: FastifyReply, parameters: RequestParameters): RequestContext {
  const gone = new AbortController();
  reply.raw.once("close", () => {
    if (!reply.raw.writableFinished) gone.abort();
  });
  return { deadline: deadlineOf(parameters), signal: gone.signal };
}

/** The parameter `timeout`: microseconds. */
export function deadlineOf({ timeout }: RequestParameters): number {
  if (timeout === undefined || timeout === 0) return Number.POSITIVE_INFINITY;
  const time = typeof timeout === "string" && timeout !== "" ? Number(timeout) : timeout;
  if (typeof time !== "number" || !(time > 0))
    throw new ServeError(
      "INVALID_ARGUMENT",
      `timeout is a number of microseconds, got ${JSON.stringify(timeout)}`,
    );
  return performance.now() + time / 1000;
}
