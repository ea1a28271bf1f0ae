/** The web server: who is asking, what every answer carries, and where each address leads. */
import formbody from "@fastify/formbody";
import multipart from "@fastify/multipart";
import rateLimit from "@fastify/rate-limit";
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import { type Service, type ServiceOptions, wantsJson } from "./context.js";
import { problemPage } from "./pages/problem.js";
import { notFound, Refusal, refusalOf } from "./problems.js";
import { assetRoutes } from "./routes/assets.js";
import { decisionRoutes } from "./routes/decisions.js";
import { entranceRoutes, sessionSecretOf } from "./routes/entrance.js";
import { instructorRoutes } from "./routes/instructor.js";
import { submissionRoutes } from "./routes/submissions.js";

const FORM_BYTES = 10_000;
const REQUEST_MS = 60_000;
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join("; ");

export async function createApp(service: Service): Promise<FastifyInstance> {
  const { options, people } = service;
  const app = Fastify({
    bodyLimit: FORM_BYTES,
    requestTimeout: REQUEST_MS,
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    // Only a proxy on this machine is believed about where a request comes from.
    trustProxy: options.publicUrl === undefined ? false : "loopback",
    routerOptions: { maxParamLength: 100 },
    frameworkErrors: (error, request, reply) => {
      void answerProblem(service, error, request, reply);
    },
  });
  app.decorateRequest("person", undefined);

  app.addHook("onRequest", async (request, reply) => {
    setHeaders(reply, options);
    const [scheme, token] = (request.headers.authorization ?? "").split(" ");
    if (scheme.toLowerCase() === "bearer") {
      request.person = people.byToken(token ?? "");
      if (!request.person)
        throw new Refusal(
          401,
          "unknown-token",
          "This token is not known: ask your instructor for a new one.",
        );
      return;
    }
    const secret = sessionSecretOf(request);
    request.person = secret === undefined ? undefined : people.bySession(secret);
    if (request.method !== "GET" && request.method !== "HEAD") refuseOtherSites(request, options.publicUrl);
  });
  await app.register(rateLimit, {
    max: options.perMinute,
    timeWindow: "1 minute",
    keyGenerator: (request) => request.person?.id ?? request.ip,
    errorResponseBuilder: (_, { after }) => ({
      statusCode: 429,
      message: `Too many requests: try again in ${after}.`,
    }),
  });
  await app.register(formbody, { bodyLimit: FORM_BYTES });
  await app.register(multipart);

  app.setErrorHandler((error, request, reply) => answerProblem(service, error, request, reply));
  app.setNotFoundHandler((request, reply) => answerProblem(service, notFound(), request, reply));
  assetRoutes(app);
  entranceRoutes(app, service);
  submissionRoutes(app, service);
  instructorRoutes(app, service);
  decisionRoutes(app, service);
  return app;
}

function setHeaders(reply: FastifyReply, { publicUrl }: ServiceOptions): void {
  void reply.headers({
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
  });
  if (publicUrl?.startsWith("https:")) void reply.header("strict-transport-security", "max-age=31536000");
}

/** What another site makes a browser send is not what its owner sends. */
function refuseOtherSites(request: FastifyRequest, publicUrl?: string): void {
  const { origin, host } = request.headers;
  const site = request.headers["sec-fetch-site"];
  const own = [host, publicUrl && hostOf(publicUrl)];
  const other =
    site !== undefined ? site !== "same-origin" : origin !== undefined && !own.includes(hostOf(origin));
  if (other) throw new Refusal(403, "other-site", "This request was made by another site.");
}

function hostOf(address: string): string {
  return URL.canParse(address) ? new URL(address).host : "nobody's";
}

async function answerProblem(
  service: Service,
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { options, log } = service;
  let refusal = refusalOf(error, options.maxBytes);
  if (!refusal) {
    log(`${request.method} ${request.url}: ${(error as Error).stack ?? String(error)}`);
    refusal = new Refusal(
      500,
      "service",
      "The service failed at this. Your instructor can find it in its log.",
    );
  }
  const { status, code, message, headers } = refusal;
  setHeaders(reply, options);
  void reply.code(status).headers(headers);
  // What is left of a refused upload is not read.
  if (request.method === "POST") void reply.header("connection", "close");
  if (wantsJson(request)) return reply.send({ error: { code, message } });
  if (status === 401 && request.method === "GET") return reply.code(303).redirect("/signin", 303);
  const page = problemPage({ course: options.courseName, person: request.person }, refusal);
  return reply.type("text/html; charset=utf-8").send(page);
}
