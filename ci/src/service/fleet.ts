/** What a service and its workers on other machines say to each other through Redis. */
import { z } from "zod";
import { reportSchema } from "../judge/report.js";

export const QUEUE_NAME = "mlsys-grading";

/** Where Redis is, and how patient both sides are. */
export interface FleetOptions {
  /** `redis://[:password@]host[:port]`, or `rediss://` with TLS. */
  url: string;
  /** A worker that was not heard for so long is gone, and its work goes to another. */
  lostMs?: number;
}

export const LOST_MS = 30_000;

/** One submission to be graded. It names the course's source, so that no worker grades with another version. */
export const jobSchema = z.object({
  id: z.string(),
  person: z.string(),
  assignment: z.string(),
  file: z.string(),
  /** Base64. */
  bytes: z.string(),
  /** SHA-256 of the assignment's source. */
  source: z.string(),
});
export type Job = z.infer<typeof jobSchema>;

export const resultSchema = reportSchema;

/** As BullMQ's client wants it. @throws when `url` is no address */
export function connectionOf(url: string) {
  const { hostname, port, username, password, protocol, pathname } = new URL(url);
  return {
    host: hostname,
    port: Number(port || 6379),
    ...(username ? { username: decodeURIComponent(username) } : {}),
    ...(password ? { password: decodeURIComponent(password) } : {}),
    ...(pathname.length > 1 ? { db: Number(pathname.slice(1)) } : {}),
    ...(protocol === "rediss:" ? { tls: {} } : {}),
    // Whoever waits for Redis goes on waiting.
    maxRetriesPerRequest: null,
  };
}
