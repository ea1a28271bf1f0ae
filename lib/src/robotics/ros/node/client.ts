/** Clients: calls of a service. */
import type { HostClient } from "../host.js";
import type { MessageInit, ServiceType } from "../interfaces/types.js";
import type { Entity, Owner } from "./callback-group.js";
import { NodeDestroyedError, RosTimeoutError } from "./errors.js";
import { limited, type WaitContext, type WaitOptions, waitUntil } from "./wait.js";

/**
 * Calls a service. Made by `node.createClient`.
 *
 * Replies settle the call's promise at once, whoever spins: a callback may await a call without blocking its own group.
 * An executor that is waiting in `spinOnce` is woken by them, as by any callback.
 */
export class Client<Request, Response> implements Entity, Disposable {
  readonly group = undefined;
  #replies = 0;
  #destroyed = false;

  /** @internal */
  constructor(
    readonly type: ServiceType<Request, Response>,
    private readonly host: HostClient<Request, Response>,
    private readonly owner: Owner,
    private readonly context: WaitContext,
  ) {}

  /** The service's full name. */
  get name(): string {
    return this.host.name;
  }

  isServiceAvailable(): boolean {
    return !this.#destroyed && this.host.isServiceAvailable();
  }

  /**
   * True as soon as the service is there, false on timeout.
   * @throws NodeDestroyedError, or the signal's reason
   * @example
   * while (!(await client.waitForService({ timeout: 1 }))) node.logger.info("service not available, waiting again...");
   */
  waitForService(options?: WaitOptions): Promise<boolean> {
    return waitUntil(
      this.context,
      () => {
        if (this.#destroyed) throw this.#gone();
        return this.host.isServiceAvailable();
      },
      options,
    );
  }

  /**
   * The service's response.
   * @throws TypeError if `request` does not fit its type; RosTimeoutError after `timeout` seconds; the signal's reason;
   * NodeDestroyedError. A service whose callback throws sends no answer: give a timeout.
   */
  async call(request: MessageInit<Request>, options: WaitOptions = {}): Promise<Response> {
    if (this.#destroyed) throw this.#gone();
    const whole = this.type.request.create(request);
    const response = await limited(
      this.context,
      (signal) => this.host.call(whole, signal),
      options,
      () =>
        new RosTimeoutError(
          this.isServiceAvailable()
            ? `service ${this.name} did not answer within ${options.timeout} s`
            : `service ${this.name} is not there: no answer within ${options.timeout} s`,
        ),
    ).catch((error) => {
      // the host has words of its own for it
      throw this.#destroyed && !(error instanceof NodeDestroyedError) ? this.#gone() : error;
    });
    this.#replies = 1;
    this.wake();
    return response;
  }

  destroy(): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    this.host.dispose();
    this.owner.forget(this);
  }

  [Symbol.dispose](): void {
    this.destroy();
  }

  #gone(): NodeDestroyedError {
    return new NodeDestroyedError(`the client of ${this.name} was destroyed`);
  }

  /** @internal */
  wake(): void {
    this.owner.wake(this);
  }

  /** @internal */
  isReady(): boolean {
    return this.#replies > 0;
  }

  /** @internal */
  take(): (() => unknown) | undefined {
    if (this.#replies === 0) return undefined;
    this.#replies = 0;
    return () => {};
  }

  /** @internal */
  fail(error: unknown): void {
    this.owner.report(error, `client of ${this.name}`);
  }
}
