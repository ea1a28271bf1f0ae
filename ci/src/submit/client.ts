/** The service as those who hand in see it. What is sent is named, so that sending it again after a failure is safe. */
import { randomUUID } from "node:crypto";
import type { z } from "zod";
import { messageOf } from "../errors.js";
import {
  acceptedSchema,
  meSchema,
  type Progress,
  problemSchema,
  progressSchema,
  REQUEST_HEADER,
  type Receipt,
} from "./protocol.js";

/** The service said no, or can't be reached; the message is for the learner. */
export class SubmitError extends Error {
  override readonly name = "SubmitError";
}

const TRIES = 6;
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 4_000;
/** Of a service that is starting anew, or of a proxy before it. */
const PASSING = new Set([502, 503, 504]);

export class ServiceClient {
  private readonly base: string;

  /** @throws SubmitError unless `server` is an address of the web */
  constructor(
    server: string,
    private readonly token: string,
    private readonly signal?: AbortSignal,
  ) {
    if (!/^https?:\/\//.test(server) || !URL.canParse(server))
      throw new SubmitError(`the server's address is "${server}": expected http://… or https://…`);
    this.base = server.replace(/\/+$/, "");
  }

  me(): Promise<z.infer<typeof meSchema>> {
    return this.json("/api/me", {}, meSchema);
  }

  /** @returns the receipt, and the address of the submission's page */
  async send(bytes: Buffer, file: string, assignment?: string): Promise<{ receipt: Receipt; page: string }> {
    const body = new FormData();
    if (assignment !== undefined) body.set("assignment", assignment);
    body.set("file", new Blob([new Uint8Array(bytes)]), file);
    const headers = { [REQUEST_HEADER]: randomUUID() };
    const { receipt, url } = await this.json(
      "/submissions",
      { method: "POST", body, headers },
      acceptedSchema,
    );
    return { receipt, page: `${this.base}${url}` };
  }

  /** Hears how far a submission is, over restarts of the service. @returns how it ended */
  async follow(
    id: string,
    onProgress: (progress: Progress, words: string) => void,
  ): Promise<Extract<Progress, { state: "done" }>> {
    for (let failures = 0; ; failures++) {
      try {
        const response = await this.request(`/submissions/${id}/events`, {});
        for await (const { progress, words } of eventsOf(response)) {
          failures = 0;
          if (progress.state === "done") return progress;
          onProgress(progress, words);
        }
      } catch (error) {
        if (error instanceof SubmitError || failures >= TRIES) throw error;
      }
      await this.pause(failures);
    }
  }

  private async json<T>(path: string, init: RequestInit, schema: z.ZodType<T>): Promise<T> {
    const response = await this.request(path, init);
    const parsed = schema.safeParse(await response.json().catch(() => undefined));
    if (!parsed.success)
      throw new SubmitError(`${this.base} answers, but not as the submission service does`);
    return parsed.data;
  }

  /** @throws SubmitError with the service's own words when it refuses */
  private async request(path: string, init: RequestInit): Promise<Response> {
    for (let failures = 0; ; failures++) {
      let reason: string;
      try {
        const headers = {
          ...init.headers,
          authorization: `Bearer ${this.token}`,
          accept: "application/json",
        };
        const response = await fetch(this.base + path, {
          ...init,
          headers,
          // A redirect would take the token along.
          redirect: "manual",
          signal: this.signal,
        });
        if (response.ok) return response;
        if (!PASSING.has(response.status)) throw await refusal(response);
        reason = `it answers ${response.status}`;
      } catch (error) {
        if (error instanceof SubmitError || this.signal?.aborted) throw error;
        const { cause } = error as { cause?: unknown };
        reason = cause === undefined ? messageOf(error) : messageOf(cause);
      }
      if (failures + 1 >= TRIES) throw new SubmitError(`${this.base} can't be reached (${reason})`);
      await this.pause(failures);
    }
  }

  private pause(failures: number): Promise<void> {
    const ms = Math.min(FIRST_PAUSE_MS * 2 ** failures, LONGEST_PAUSE_MS);
    return new Promise((resolve) => setTimeout(resolve, ms));
  }
}

async function refusal(response: Response): Promise<SubmitError> {
  const body = problemSchema.safeParse(await response.json().catch(() => undefined));
  return new SubmitError(body.success ? body.data.error.message : `the server answers ${response.status}`);
}

/** Messages of a stream of server-sent events. */
async function* eventsOf(response: Response): AsyncGenerator<{ progress: Progress; words: string }> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk as Uint8Array, { stream: true });
    const events = text.split("\n\n");
    text = events.pop() ?? "";
    for (const event of events) {
      if (!event.startsWith("data: ")) continue;
      const { progress, words } = JSON.parse(event.slice("data: ".length)) as {
        progress: unknown;
        words: unknown;
      };
      yield { progress: progressSchema.parse(progress), words: String(words) };
    }
  }
}
