/** Which callbacks may run while another one waits at an `await`. */

/** Something with callbacks to run: a timer, subscription, service or client. */
export interface Entity {
  readonly group: CallbackGroup | undefined;
  /** Told when its turn may have come; the executor that holds its node. */
  wake(): void;
  isReady(): boolean;
  /** Takes the oldest of what is ready and returns what to run for it; undefined if nothing is. */
  take(): (() => unknown) | undefined;
  /** An exception of its callback. */
  fail(error: unknown): void;
}

/** What its node gives an entity. */
export interface Owner {
  /** Has the executor look at it. */
  wake(entity: Entity): void;
  /** An exception of a callback of what `source` names, as "timer of 1 s". */
  report(error: unknown, source: string): void;
  /** It is gone. */
  forget(endpoint: object): void;
}

/**
 * Callbacks that belong together.
 * - `exclusive` (rclpy's MutuallyExclusiveCallbackGroup): an asynchronous callback ends before the next begins.
 * - `reentrant`: each begins as soon as it is ready, the same one too.
 *
 * A node's callbacks share one exclusive group unless told otherwise. A callback that calls a service of its own node
 * waits for ever if both are of one exclusive group.
 * @example
 * const node = await ros.createNode("planner");
 * const group = new ros.CallbackGroup("reentrant"); // many requests at a time
 * node.createService(ros.srv("std_srvs/srv/Trigger"), "plan", async () => ({ success: true }), { group });
 * await node.destroy();
 */
export class CallbackGroup {
  #running = false;
  readonly #waiting = new Set<Entity>();

  constructor(readonly type: "exclusive" | "reentrant" = "exclusive") {
    if (type !== "exclusive" && type !== "reentrant")
      throw new TypeError(`a callback group is exclusive or reentrant, not ${String(type)}`);
  }

  /** @internal Whether a callback of `entity` may begin; if not, the entity is woken when one may. */
  begin(entity: Entity): boolean {
    if (this.type === "reentrant") return true;
    if (this.#running) {
      this.#waiting.add(entity);
      return false;
    }
    this.#running = true;
    return true;
  }

  /** @internal A callback has ended. */
  end(): void {
    this.#running = false;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const entity of waiting) entity.wake();
  }
}
