/** Events of quality of service, given to their callback by the executor as messages are. */
import type { EntityOptions, QoSEvent } from "../host.js";
import type { CallbackGroup, Entity, Owner } from "./callback-group.js";

/** Part of a publisher, subscription, service or client. */
export class EventQueue implements Entity {
  readonly #queue: QoSEvent[] = [];

  constructor(
    private readonly source: string,
    private readonly callback: (event: QoSEvent) => unknown,
    readonly group: CallbackGroup,
    private readonly owner: Owner,
  ) {}

  readonly push: NonNullable<EntityOptions["onEvent"]> = (event) => {
    this.#queue.push(event);
    this.wake();
  };

  wake(): void {
    this.owner.wake(this);
  }

  isReady(): boolean {
    return this.#queue.length > 0;
  }

  take(): (() => unknown) | undefined {
    const event = this.#queue.shift();
    return event && (() => this.callback(event));
  }

  fail(error: unknown): void {
    this.owner.report(error, `event of ${this.source}`);
  }

  destroy(): void {
    this.#queue.length = 0;
    this.owner.forget(this);
  }
}
