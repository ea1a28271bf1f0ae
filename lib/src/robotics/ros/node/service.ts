/** Services: requests answered by a callback. */
import type { HostService } from "../host.js";
import type { MessageInit, ServiceType } from "../interfaces/types.js";
import type { CallbackGroup, Entity, Owner } from "./callback-group.js";
import { NodeDestroyedError } from "./errors.js";

export type ServiceCallback<Request, Response> = (
  request: Request,
) => MessageInit<Response> | PromiseLike<MessageInit<Response>>;

interface Pending<Request, Response> {
  readonly request: Request;
  readonly resolve: (response: Response) => void;
  readonly reject: (error: unknown) => void;
}

/** Answers requests. Made by `node.createService`. */
export class Service<Request, Response> implements Entity, Disposable {
  readonly #queue: Pending<Request, Response>[] = [];
  readonly #host: HostService;
  #destroyed = false;

  /** @internal */
  constructor(
    readonly type: ServiceType<Request, Response>,
    /** The service's full name. */
    readonly name: string,
    private readonly callback: ServiceCallback<Request, Response>,
    readonly group: CallbackGroup,
    private readonly owner: Owner,
    attach: (onRequest: (request: Request) => Promise<Response>) => HostService,
  ) {
    this.#host = attach(
      (request) =>
        new Promise((resolve, reject) => {
          if (this.#destroyed) return reject(this.#gone());
          this.#queue.push({ request, resolve, reject });
          this.wake();
        }),
    );
  }

  destroy(): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    this.#host.dispose();
    for (const { reject } of this.#queue.splice(0)) reject(this.#gone());
    this.owner.forget(this);
  }

  [Symbol.dispose](): void {
    this.destroy();
  }

  #gone(): NodeDestroyedError {
    return new NodeDestroyedError(`the service ${this.name} was destroyed`);
  }

  /** @internal */
  wake(): void {
    this.owner.wake(this);
  }

  /** @internal */
  isReady(): boolean {
    return this.#queue.length > 0;
  }

  /** @internal */
  take(): (() => unknown) | undefined {
    const pending = this.#queue.shift();
    return pending && (() => this.#answer(pending));
  }

  #answer(pending: Pending<Request, Response>): unknown {
    const give = (response: MessageInit<Response>) => {
      if (response === undefined || response === null)
        throw new TypeError(
          `the callback returned ${response}: a response of ${this.type.name} is an object`,
        );
      pending.resolve(this.type.response.create(response));
    };
    // no answer, as with rclpy; the caller's timeout tells
    const refuse = (error: unknown) => {
      pending.reject(error);
      throw error;
    };
    try {
      const response = this.callback(pending.request);
      if (typeof (response as PromiseLike<unknown> | undefined)?.then !== "function")
        return give(response as MessageInit<Response>);
      return (response as PromiseLike<MessageInit<Response>>).then(give).then(undefined, refuse);
    } catch (error) {
      return refuse(error);
    }
  }

  /** @internal */
  fail(error: unknown): void {
    this.owner.report(error, `service ${this.name}`);
  }
}
