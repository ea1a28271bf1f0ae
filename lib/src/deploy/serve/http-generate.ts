/** `generate` and `generate_stream`: one JSON object, or one per token as server-sent events. */
import { once } from "node:events";
import type { FastifyReply } from "fastify";
import { asServeError, quoted, ServeError } from "./errors.js";
import { parametersOf } from "./http-codec.js";
import type { Parameter, RequestContext } from "./request.js";
import type { InferenceService } from "./service.js";
import type { GenerateRequest, StreamedToken } from "./tokens.js";

type Json = Readonly<Record<string, unknown>>;

/** `prompt` or `text_input`; everything else, also in `parameters`, is a parameter. */
export function generateBody(json: Json): GenerateRequest {
  const { prompt, text_input: text, parameters, id, ...others } = json;
  if (id !== undefined && typeof id !== "string")
    throw new ServeError("INVALID_ARGUMENT", `id is text, got ${quoted(id)}`);
  return {
    prompt,
    text,
    parameters: {
      ...parametersOf(others, "the request"),
      ...parametersOf(parameters, "the request"),
    },
  };
}

/** What an engine says of a token, as far as JSON can say it. */
const plain = (token: StreamedToken): Record<string, Parameter> =>
  Object.fromEntries(
    Object.entries(token).filter(
      (pair): pair is [string, Parameter] =>
        pair[0] !== "token" && ["string", "number", "boolean"].includes(typeof pair[1]),
    ),
  );

/** Text of a stream's tokens: only what can't change with the tokens to come. */
class TextSoFar {
  private readonly tokens: number[] = [];
  private sent = "";

  constructor(private readonly decode: ((tokens: readonly number[]) => string) | null) {}

  /** What the next token adds; characters that are not whole yet are held back. */
  next(token: number): string | null {
    if (this.decode === null) return null;
    this.tokens.push(token);
    return this.added(this.decode(this.tokens).replace(/\uFFFD+$/, ""));
  }

  private added(text: string): string {
    const more = text.startsWith(this.sent) ? text.slice(this.sent.length) : "";
    this.sent += more;
    return more;
  }
}

const decoder = (service: InferenceService, name: string): ((tokens: readonly number[]) => string) | null => {
  const tokenizer = service.models.tokens(name)?.tokenizer;
  return tokenizer ? (tokens) => tokenizer.decode(tokens) : null;
};

/** One object with all tokens. */
export async function generated(
  service: InferenceService,
  name: string,
  asked: GenerateRequest,
  context: RequestContext,
  reply: FastifyReply,
): Promise<unknown> {
  const tokens: number[] = [];
  for await (const { token } of service.generate("http", name, asked, context)) tokens.push(token);
  const decode = decoder(service, name);
  const version = service.models.numbers(name).at(-1);
  return reply.send({
    model_name: name,
    model_version: version,
    tokens,
    ...(decode ? { text_output: decode(tokens) } : {}),
  });
}

/** An event per token. An error before the first is a plain one; a later one is the last event. */
export async function eventStream(
  service: InferenceService,
  name: string,
  asked: GenerateRequest,
  context: RequestContext,
  reply: FastifyReply,
): Promise<unknown> {
  const stream = service.generate("http", name, asked, context);
  const first = await stream.next();
  const head = { model_name: name, model_version: service.models.numbers(name).at(-1) };
  const text = new TextSoFar(decoder(service, name));
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(200, {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store",
    "x-request-id": String(reply.getHeader("x-request-id")),
  });
  const send = async (event: Json): Promise<void> => {
    if (raw.write(`data: ${JSON.stringify(event)}\n\n`) || raw.destroyed) return;
    await Promise.race([once(raw, "drain"), once(raw, "close")]); // a slow reader slows its stream only
  };
  try {
    for (let next = first; !next.done; next = await stream.next()) {
      const { token } = next.value;
      const added = text.next(token);
      await send({ ...head, token, ...(added === null ? {} : { text_output: added }), ...plain(next.value) });
    }
    raw.end();
  } catch (error) {
    await send({ error: asServeError(error).message });
    raw.end();
    throw error;
  }
  return undefined;
}
