/** The style sheet and the one script. */
import { readFileSync } from "node:fs";
import type { FastifyInstance } from "fastify";
import { STYLE } from "../style.js";

// What is built, also when the service itself runs from its sources (in tests).
const LIVE = new URL(
  import.meta.url.endsWith(".ts") ? "../../../dist/service/pages/live.js" : "../pages/live.js",
  import.meta.url,
);
const CACHE = "public, max-age=3600";

export function assetRoutes(app: FastifyInstance): void {
  const live = readFileSync(LIVE, "utf8").replace(/^\/\/# sourceMappingURL.*$/m, "");
  app.get("/assets/style.css", (_, reply) =>
    reply.header("cache-control", CACHE).type("text/css; charset=utf-8").send(STYLE),
  );
  app.get("/assets/live.js", (_, reply) =>
    reply.header("cache-control", CACHE).type("text/javascript; charset=utf-8").send(live),
  );
  app.get("/robots.txt", (_, reply) => reply.type("text/plain").send("User-agent: *\nDisallow: /\n"));
}
