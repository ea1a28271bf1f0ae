/** What goes wrong with a request or a model, with its code in both protocols. */
import { MlsysError } from "../../core/errors.js";

/** Codes of gRPC (google.rpc.Code), and the status that HTTP has for each. */
export const CODES = {
  CANCELLED: { grpc: 1, http: 499 },
  INVALID_ARGUMENT: { grpc: 3, http: 400 },
  DEADLINE_EXCEEDED: { grpc: 4, http: 504 },
  NOT_FOUND: { grpc: 5, http: 404 },
  RESOURCE_EXHAUSTED: { grpc: 8, http: 429 },
  FAILED_PRECONDITION: { grpc: 9, http: 409 },
  UNIMPLEMENTED: { grpc: 12, http: 501 },
  INTERNAL: { grpc: 13, http: 500 },
  UNAVAILABLE: { grpc: 14, http: 503 },
} as const;

export type ServeCode = keyof typeof CODES;

export interface ServeErrorOptions extends ErrorOptions {
  /** Seconds after which another try may succeed. */
  readonly retryAfter?: number;
  /** Where HTTP has a status of its own for it. */
  readonly status?: number;
}

/** A request that is not answered, or a model that can't be served. */
export class ServeError extends MlsysError {
  override name = "ServeError";
  readonly retryAfter?: number;
  readonly status: number;

  constructor(
    readonly code: ServeCode,
    message: string,
    options: ServeErrorOptions = {},
  ) {
    super(message, options);
    this.retryAfter = options.retryAfter;
    this.status = options.status ?? CODES[code].http;
  }
}

/** Whatever was thrown, as a ServeError. */
export function asServeError(error: unknown): ServeError {
  if (error instanceof ServeError) return error;
  return new ServeError("INTERNAL", error instanceof Error ? error.message : String(error), { cause: error });
}

/** A client's value in a message: short, whatever it is. (A list in lists of lists … would overflow the stack as JSON.) */
export function quoted(value: unknown): string {
  if (Array.isArray(value)) {
    const plain = value.length <= 16 && value.every((x) => typeof x === "number");
    return plain ? `[${value.join(", ")}]` : `a list of ${value.length}`;
  }
  if (typeof value === "object" && value !== null) return "an object";
  if (typeof value !== "string") return String(value);
  return value.length > 80 ? `${JSON.stringify(value.slice(0, 80))}…` : JSON.stringify(value);
}
