/** Coming in by course token, and going out. */
import { parse, serialize } from "cookie";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Service } from "../context.js";
import { signInPage } from "../pages/sign-in.js";

const COOKIE = "mlsys_session";
const MAX_AGE_S = 30 * 24 * 60 * 60;

export function sessionSecretOf(request: FastifyRequest): string | undefined {
  return parse(request.headers.cookie ?? "")[COOKIE];
}

export function entranceRoutes(app: FastifyInstance, { options, people }: Service): void {
  const base = { course: options.courseName };
  const secure = options.publicUrl?.startsWith("https:") ?? false;
  const setCookie = (reply: FastifyReply, secret: string, maxAge: number) =>
    reply.header(
      "set-cookie",
      serialize(COOKIE, secret, { path: "/", httpOnly: true, sameSite: "strict", secure, maxAge }),
    );

  app.get("/signin", (request, reply) => {
    if (request.person) return reply.redirect("/", 303);
    return reply.type("text/html; charset=utf-8").send(signInPage(base));
  });

  const limit = { max: options.signInsPerMinute, timeWindow: "1 minute", keyGenerator: ipOf };
  app.post("/signin", { config: { rateLimit: limit } }, (request, reply) => {
    const { token } = (request.body ?? {}) as { token?: unknown };
    const person = typeof token === "string" ? people.byToken(token) : undefined;
    if (!person) return reply.code(401).type("text/html; charset=utf-8").send(signInPage(base, true));
    return setCookie(reply, people.signIn(person), MAX_AGE_S).redirect("/", 303);
  });

  app.post("/signout", (request, reply) => {
    const secret = sessionSecretOf(request);
    if (secret !== undefined) people.signOut(secret);
    return setCookie(reply, "", 0).redirect("/signin", 303);
  });
}

function ipOf(request: FastifyRequest): string {
  return `sign-in ${request.ip}`;
}
