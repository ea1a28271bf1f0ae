/**
 * Services, as ROS 2 makes them of two topics: requests and replies. Each server of a name gets each request; the client
 * takes the first reply. A request that no server is there for is lost, and its call waits until it is aborted.
 */
import { DisposedError } from "../../../core/errors.js";
import type { EntityOptions, HostClient, HostService } from "../host.js";
import type { MessageType, ServiceType } from "../interfaces/types.js";
import type { LocalReader } from "./reader.js";
import type { Related } from "./sample.js";
import type { LocalWriter } from "./writer.js";

/** Makes the ends of a service. */
export interface Ends {
  writer(
    topic: string,
    type: MessageType,
    service: { name: string; type: string },
    options: EntityOptions,
  ): LocalWriter;
  reader(
    topic: string,
    type: MessageType,
    service: { name: string; type: string },
    options: EntityOptions,
    onSample: (message: unknown, related: Related) => void,
  ): LocalReader;
}

/** Who answers, and who hears that an answer has left. */
interface Server<Request, Response> {
  readonly onRequest: (request: Request) => Promise<Response>;
  readonly onAnswered?: (request: Request) => void;
}

export class GraphService<Request, Response> implements HostService {
  private readonly requests: LocalReader;
  private readonly replies: LocalWriter;
  private isDisposed = false;

  constructor(
    type: ServiceType<Request, Response>,
    readonly name: string,
    options: EntityOptions,
    ends: Ends,
    private readonly server: Server<Request, Response>,
    private readonly onDispose: () => void,
  ) {
    const service = { name, type: type.name };
    // a client sees the service only when it can be answered: replies first
    this.replies = ends.writer(`rr${name}Reply`, type.response, service, withoutEvents(options));
    this.requests = ends.reader(`rq${name}Request`, type.request, service, options, (message, related) => {
      void this.answer(message as Request, related);
    });
  }

  dispose(): void {
    if (this.isDisposed) return;
    this.isDisposed = true;
    this.requests.dispose();
    this.replies.dispose();
    this.onDispose();
  }

  private async answer(request: Request, related: Related): Promise<void> {
    let response: Response;
    try {
      response = await this.server.onRequest(request);
    } catch {
      return; // who serves reports it
    }
    if (this.isDisposed) return;
    this.replies.publish(response, related, related.client);
    this.server.onAnswered?.(request);
  }
}

interface Call {
  resolve(response: unknown): void;
  reject(error: unknown): void;
}

export class GraphClient<Request, Response> implements HostClient<Request, Response> {
  private readonly requests: LocalWriter;
  private readonly replies: LocalReader;
  private readonly calls = new Map<number, Call>();
  private count = 0;
  private isDisposed = false;

  constructor(
    type: ServiceType<Request, Response>,
    readonly name: string,
    options: EntityOptions,
    ends: Ends,
    private readonly onDispose: () => void,
  ) {
    const service = { name, type: type.name };
    const take = (message: unknown, related: Related): void => this.calls.get(related.call)?.resolve(message);
    this.replies = ends.reader(`rr${name}Reply`, type.response, service, withoutEvents(options), take);
    this.requests = ends.writer(`rq${name}Request`, type.request, service, options);
  }

  isServiceAvailable(): boolean {
    return this.requests.matches.size > 0 && this.replies.matches.size > 0;
  }

  call(request: Request, signal?: AbortSignal): Promise<Response> {
    return new Promise<Response>((resolve, reject) => {
      if (this.isDisposed) throw new DisposedError(`${this.name}: called after dispose()`);
      signal?.throwIfAborted();
      const id = ++this.count;
      const ended = (): void => {
        this.calls.delete(id);
        signal?.removeEventListener("abort", abort);
      };
      const call: Call = {
        resolve: (response) => {
          ended();
          resolve(response as Response);
        },
        reject: (error) => {
          ended();
          reject(error);
        },
      };
      const abort = (): void => call.reject(signal?.reason);
      this.requests.publish(request, { client: this.replies.id, call: id });
      this.calls.set(id, call);
      signal?.addEventListener("abort", abort);
    });
  }

  dispose(): void {
    if (this.isDisposed) return;
    this.isDisposed = true;
    this.requests.dispose();
    this.replies.dispose();
    const error = new DisposedError(`${this.name}: the client was disposed of while a call waited`);
    for (const call of [...this.calls.values()]) call.reject(error);
    this.onDispose();
  }
}

/** Of the two ends one tells of quality of service: both would tell the same. */
function withoutEvents(options: EntityOptions): EntityOptions {
  return { qos: options.qos };
}
