/** What tests of the server share: a model that waits at a gate, raw requests, a client of gRPC. */
import {
  type Client,
  credentials,
  Metadata,
  makeGenericClientConstructor,
  type ServiceError,
} from "@grpc/grpc-js";
import type { ModelOptions } from "../../src/deploy/serve/config.js";
import type { ModelOfBackend } from "../../src/deploy/serve/given.js";
import { inferenceService } from "../../src/deploy/serve/grpc-schema.js";
import { library } from "./built-library.js";

export const { deploy, tensor } = library;
export type ModelServer = Awaited<ReturnType<typeof deploy.serve>>;

export const GATE_BACKEND = new URL("../deploy/serve/gate-backend.mjs", import.meta.url);

/** Waits for a condition, however long it takes. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 2));
}

/** A model that doubles its input, and whose runs wait while the gate is shut. */
export class Gate {
  private readonly words = new Int32Array(new SharedArrayBuffer(8));

  constructor(isOpen = false) {
    if (isOpen) this.open();
  }

  model(options: ModelOptions = {}, behaviour: Readonly<Record<string, unknown>> = {}): ModelOfBackend {
    return { ...options, backend: GATE_BACKEND, options: { gate: this.words, ...behaviour } };
  }

  /** Runs that have begun. */
  get runs(): number {
    return Atomics.load(this.words, 1);
  }

  open(): void {
    Atomics.store(this.words, 0, 1);
    Atomics.notify(this.words, 0);
  }

  shut(): void {
    Atomics.store(this.words, 0, 0);
  }
}

/** `x` as the gate's model takes it. */
export const rows = (...values: number[]) => tensor(values.map((value) => [value, value + 1, value + 2]));

export const inferJson = (value = 1, more: object = {}): string =>
  JSON.stringify({
    inputs: [{ name: "x", datatype: "FP32", shape: [1, 3], data: [value, value + 1, value + 2] }],
    ...more,
  });

export const post = (url: string, body: string | Uint8Array = "", headers: Record<string, string> = {}) =>
  fetch(url, { method: "POST", body: body as BodyInit, headers });

/** The value of a metric that Prometheus reads; labels as they are written there. */
export async function metric(server: ModelServer, name: string): Promise<number> {
  const line = (await server.metrics()).split("\n").find((text) => text.startsWith(`${name} `));
  return Number(line?.slice(name.length + 1) ?? 0);
}

type Message = Record<string, unknown>;

export interface GrpcClient {
  call(method: string, request: Message, options?: { deadline?: Date }): Promise<Message>;
  stream(): {
    send(request: Message): void;
    end(): void;
    readonly answers: AsyncIterable<Message>;
  };
  close(): void;
}

/** A client without any of the library's own code for tensors. */
export async function grpcClient(address: string): Promise<GrpcClient> {
  const Service = makeGenericClientConstructor((await inferenceService()) as never, "GRPCInferenceService");
  const client = new Service(address, credentials.createInsecure());
  type Unary = (
    request: Message,
    metadata: Metadata,
    options: object,
    done: (error: ServiceError | null, answer: Message) => void,
  ) => void;
  return {
    call: (method, request, options = {}) =>
      new Promise((resolve, reject) => {
        const f = client[method] as unknown as Unary;
        f.call(client, request, new Metadata(), options, (error, answer) =>
          error ? reject(error) : resolve(answer),
        );
      }),
    stream: () => {
      const call = (
        client.ModelStreamInfer as unknown as () => ReturnType<Client["makeBidiStreamRequest"]>
      ).call(client);
      return {
        send: (request) => void call.write(request),
        end: () => call.end(),
        answers: call as unknown as AsyncIterable<Message>,
      };
    },
    close: () => client.close(),
  };
}

export const floats = (...values: number[]): Buffer => Buffer.from(Float32Array.from(values).buffer);

export const numbersIn = (bytes: Uint8Array): number[] =>
  Array.from(new Float32Array(new Uint8Array(bytes).buffer));
