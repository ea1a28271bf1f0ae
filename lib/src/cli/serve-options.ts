/** `mlsys serve`: its arguments. */
import { type Command, InvalidArgumentError } from "commander";

export interface ServeArguments {
  readonly port: number;
  readonly grpcPort: number;
  readonly grpc: boolean;
  readonly host: string;
  readonly maxBatch?: number;
  readonly maxDelay?: number;
  readonly preferred?: readonly number[];
  readonly pad?: boolean;
  readonly batching: boolean;
  readonly instances?: number;
  readonly threads?: number;
  readonly device?: string;
  readonly maxQueue?: number;
  readonly timeout?: number;
  readonly maxBody?: number;
  readonly poll?: number;
  readonly grace: number;
  readonly drain: number;
  readonly log: boolean;
}

const whole = (text: string): number => {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError("A whole number is expected.");
  return Number(text);
};

const port = (text: string): number => {
  if (whole(text) > 65_535) throw new InvalidArgumentError("A port is a number up to 65535.");
  return Number(text);
};

const time = (text: string): number => {
  if (!/^\d{1,9}(\.\d+)?$/.test(text)) throw new InvalidArgumentError("A time is expected, as a number.");
  return Number(text);
};

const list = (text: string): number[] => text.split(",").map(whole);

export function addServe(program: Command, signal: AbortSignal): void {
  program
    .command("serve")
    .description("serve models over HTTP and gRPC, by the Open Inference Protocol (KServe v2)")
    .argument(
      "<model...>",
      "files (.onnx, .mlsys, TF.js model.json), folders NAME/VERSION/model.onnx, or folders of such; NAME=PATH gives the name",
    )
    .option("--port <number>", "of HTTP; 0: a free one", port, 8000)
    .option("--grpc-port <number>", "of gRPC; 0: a free one", port, 8001)
    .option("--no-grpc", "HTTP alone")
    .option("--host <address>", "to listen on; 0.0.0.0: for other machines", "127.0.0.1")
    .option("--max-batch <rows>", "of one run", whole)
    .option("--max-delay <ms>", "that a request may wait for others", time)
    .option("--preferred <rows,…>", "batches that wait for no more", list)
    .option("--pad", "zero rows may fill a batch up to a preferred size")
    .option("--no-batching", "each request runs alone")
    .option("--instances <number>", "worker threads for each version", whole)
    .option("--threads <number>", "that an instance computes with", whole)
    .option("--device <name>", "to compute on, see mlsys devices")
    .option("--max-queue <requests>", "that wait; others get 429", whole)
    .option("--timeout <ms>", "for requests that name none", time)
    .option("--max-body <bytes>", "of one request", whole)
    .option("--poll <seconds>", "look for new versions this often; SIGHUP: now", time)
    .option("--grace <ms>", "at SIGTERM: not ready, and still taking requests", time, 0)
    .option("--drain <ms>", "then: for the requests that are there", time, 30_000)
    .option("--log", "a line of JSON for each request, on standard error", false)
    .action(async (models: string[], options: ServeArguments) => {
      const { runServer } = await import("./serve.js"); // only this needs the library
      await runServer(models, options, signal);
    });
}
