/** `ModelStreamInfer`: answers in the order of the requests, or, of models that answer token by token, one for each token. */
import { once } from "node:events";
import type { WireTensor } from "./backend.js";
import { asServeError } from "./errors.js";
import { decodeInferMessage, responseMessage } from "./grpc-codec.js";
import { contextOf, type GrpcOptions, type InferStream, inferOne } from "./grpc-infer.js";
import type { InferRequestMessage, StreamResponseMessage } from "./grpc-schema.js";
import { encodeNumbers, numbersOf } from "./numbers.js";
import type { Parameter } from "./request.js";
import type { InferenceService } from "./service.js";
import type { StreamedToken } from "./tokens.js";

/** Requests of one stream that are worked on at a time; the client waits with further ones. */
const MOST_AT_A_TIME = 64;

/** Says of each answer whether it is the request's last; the client asks for an empty last one by a parameter. */
const FINAL = "triton_final_response";
const EMPTY_FINAL = "triton_enable_empty_final_response";

export function streamHandler(service: InferenceService, options: GrpcOptions): (call: InferStream) => void {
  return (call) => {
    let running = 0;
    let before: Promise<unknown> = Promise.resolve();
    const write = async (message: StreamResponseMessage): Promise<void> => {
      if (call.cancelled || call.write(message)) return;
      await Promise.race([once(call, "drain"), once(call, "cancelled")]);
    };
    const failed = (error: unknown): Promise<void> => write({ error_message: asServeError(error).message });
    const work = async (request: InferRequestMessage, turn: Promise<unknown>): Promise<void> => {
      if (isTokens(service, request.model_name)) return streamOne(service, options, request, call, write);
      const answer = inferOne(service, options, request, call);
      answer.catch(() => {}); // its turn comes later
      await turn;
      await write({ infer_response: await answer });
    };
    call.on("data", (request: InferRequestMessage) => {
      running++;
      if (running >= MOST_AT_A_TIME) call.pause();
      const own = work(request, before).catch(failed);
      const previous = before;
      before = own.then(async () => {
        await previous;
        running--;
        if (running < MOST_AT_A_TIME) call.resume();
      });
    });
    call.on("error", () => {}); // the client is gone: `cancelled` says so
    call.on("end", () => void before.then(() => call.end()));
  };
}

function isTokens(service: InferenceService, name: string): boolean {
  try {
    return service.models.tokens(name) !== null;
  } catch {
    return false; // inferOne says so
  }
}

async function streamOne(
  service: InferenceService,
  { maxBody, log }: GrpcOptions,
  request: InferRequestMessage,
  call: InferStream,
  write: (message: StreamResponseMessage) => Promise<void>,
): Promise<void> {
  const { model_name: name, id } = request;
  const version = service.models.numbers(name).at(-1) ?? "";
  const started = performance.now();
  let code = "OK";
  try {
    const { inputs, parameters } = decodeInferMessage(request, maxBody);
    const { [EMPTY_FINAL]: emptyFinal, text_input: text, ...rest } = parameters;
    const asked = { prompt: promptOf(inputs), text, parameters: rest };
    const respond = (properties: Record<string, Parameter>, outputs: readonly WireTensor[]): Promise<void> =>
      write({ infer_response: responseMessage({ name, version, id, parameters: properties }, outputs) });
    for await (const token of service.generate("grpc", name, asked, contextOf(call, parameters)))
      await respond({ ...propertiesOf(token), [FINAL]: false }, [tokenTensor(token.token)]);
    if (emptyFinal === true) await respond({ [FINAL]: true }, []);
  } catch (error) {
    code = asServeError(error).code;
    throw error;
  } finally {
    log?.({ id, protocol: "grpc", model: name, code, ms: performance.now() - started });
  }
}

/** Token ids of the input `prompt`; `undefined` without one. */
function promptOf(inputs: readonly WireTensor[]): number[] | undefined {
  const prompt = inputs.find(({ name }) => name === "prompt");
  return prompt && numbersOf(prompt.datatype, prompt.data);
}

const tokenTensor = (token: number): WireTensor => ({
  name: "token",
  datatype: "INT64",
  shape: [1],
  data: encodeNumbers("INT64", [token]),
});

const propertiesOf = ({ token: _, ...rest }: StreamedToken): Record<string, Parameter> =>
  Object.fromEntries(
    Object.entries(rest).filter((pair): pair is [string, Parameter] =>
      ["string", "number", "boolean"].includes(typeof pair[1]),
    ),
  );
