/**
 * Who runs the callbacks. JavaScript has one thread, so an executor decides order, not threads: entities that have
 * something ready stand in one queue, each is given one callback, then goes to the queue's end (round-robin).
 */
import type { CallbackGroup, Entity } from "./callback-group.js";
import { RosError, RosTimeoutError } from "./errors.js";
import { nanoseconds } from "./time.js";
import { machineTime, type TimeBase } from "./time-base.js";

/** What an executor needs of a node. */
export interface ExecutorNode {
  readonly fullyQualifiedName: string;
  readonly isDestroyed: boolean;
  /** @internal */
  readonly entities: Iterable<Entity>;
  /** @internal */
  executor: Executor | null;
}

/**
 * Runs the callbacks of its nodes while someone spins it, as rclpy's SingleThreadedExecutor.
 * @example
 * const executor = new ros.Executor();
 * const node = await ros.createNode("ticker", { executor });
 * let ticks = 0;
 * node.createTimer(0.001, () => ticks++);
 * while (ticks < 3) await executor.spinOnce();
 * await node.destroy();
 * ticks // 3
 */
export class Executor implements AsyncDisposable {
  readonly #nodes = new Set<ExecutorNode>();
  #queue: Entity[] = [];
  #head = 0;
  readonly #queued = new Set<Entity>();
  #wakeUp: (() => void) | undefined;
  #stopped = false;
  #spinning = false;

  constructor(private readonly time: TimeBase = machineTime) {}

  get nodes(): readonly ExecutorNode[] {
    return [...this.#nodes];
  }

  /** Whether {@link shutdown} was called. */
  get isShutdown(): boolean {
    return this.#stopped;
  }

  /** @throws RosError if the node belongs to another executor, or this one was shut down */
  add(node: ExecutorNode): void {
    if (this.#stopped) throw new RosError("the executor was shut down");
    if (node.executor === this) return;
    if (node.isDestroyed) throw new RosError(`node ${node.fullyQualifiedName} was destroyed`);
    if (node.executor)
      throw new RosError(
        `node ${node.fullyQualifiedName} belongs to another executor: remove it there first`,
      );
    this.#nodes.add(node);
    node.executor = this;
    for (const entity of node.entities) if (entity.isReady()) this.wake(entity);
  }

  /** What is ready stays so, for the next executor. */
  remove(node: ExecutorNode): void {
    if (!this.#nodes.delete(node)) return;
    node.executor = null;
    const gone = new Set(node.entities);
    this.#queue = this.#queue.slice(this.#head).filter((entity) => !gone.has(entity));
    this.#head = 0;
    for (const entity of gone) this.#queued.delete(entity);
  }

  /** @internal An entity has something ready. */
  wake(entity: Entity): void {
    if (this.#stopped || this.#queued.has(entity)) return;
    this.#queued.add(entity);
    this.#queue.push(entity);
    this.onReady();
  }

  /** @internal For executors that spin by themselves. */
  protected onReady(): void {
    this.#wakeUp?.();
  }

  /** @internal Runs one ready callback; false if there is none. The promise of an asynchronous one is in `running`. */
  protected runNext(running?: Promise<unknown>[]): boolean {
    for (let entity = this.#shift(); entity !== undefined; entity = this.#shift()) {
      const group = entity.group;
      if (group && !group.begin(entity)) continue;
      const work = entity.take();
      if (entity.isReady()) this.wake(entity);
      if (work === undefined) {
        group?.end();
        continue;
      }
      run(entity, group, work, running);
      return true;
    }
    return false;
  }

  #shift(): Entity | undefined {
    if (this.#head === this.#queue.length) return undefined;
    const entity = this.#queue[this.#head];
    this.#head++;
    if (this.#head === this.#queue.length || this.#head > 1024) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    this.#queued.delete(entity);
    return entity;
  }

  /**
   * Waits for one callback to become ready and runs it: to its end if it ends within the event loop's turn, else to its
   * first longer `await`, and it goes on while others run.
   * @param timeout seconds to wait; `Infinity` for ever, 0 not at all
   * @returns false if nothing became ready in time, or the executor was shut down
   */
  async spinOnce(timeout = Infinity): Promise<boolean> {
    return this.#exclusively(() => this.#once(timeout));
  }

  /** Runs one callback of each entity that is ready now, as rclcpp's spin_some. @returns how many */
  async spinSome(): Promise<number> {
    return this.#exclusively(async () => {
      let count = 0;
      for (let left = this.#queued.size; left > 0 && (await this.#once(0)); left--) count++;
      return count;
    });
  }

  /** Runs callbacks until `signal` is aborted or the executor is shut down. Keeps the process alive. */
  async spin({ signal }: { signal?: AbortSignal } = {}): Promise<void> {
    await this.#exclusively(() => this.#until(() => this.#stopped || signal?.aborted === true, signal));
  }

  /**
   * Runs callbacks until `promise` is settled.
   * @param timeout seconds
   * @throws what the promise is rejected with; RosTimeoutError; RosError if the executor is shut down before
   */
  async spinUntilComplete<T>(promise: PromiseLike<T>, timeout = Infinity): Promise<T> {
    let outcome: (() => T) | undefined;
    const stop = new AbortController();
    Promise.resolve(promise)
      .then(
        (value) => {
          outcome = () => value;
        },
        (error) => {
          outcome = () => {
            throw error;
          };
        },
      )
      .then(() => stop.abort());
    const cancel =
      timeout === Infinity ? undefined : this.time.schedule(nanoseconds(timeout), () => stop.abort());
    try {
      await this.#exclusively(() => this.#until(() => this.#stopped || stop.signal.aborted, stop.signal));
    } finally {
      cancel?.();
    }
    if (outcome) return outcome();
    if (this.#stopped) throw new RosError("the executor was shut down before the promise was settled");
    throw new RosTimeoutError(`the promise was not settled within ${timeout} s`);
  }

  /** Ends spinning and lets go of its nodes, which are not destroyed. */
  async shutdown(): Promise<void> {
    for (const node of [...this.#nodes]) this.remove(node);
    this.#stopped = true;
    this.#wakeUp?.();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown();
  }

  async #exclusively<T>(spin: () => Promise<T>): Promise<T> {
    if (this.#spinning) throw new RosError("the executor is spinning already");
    this.#spinning = true;
    try {
      return await spin();
    } finally {
      this.#spinning = false;
    }
  }

  async #until(done: () => boolean, signal?: AbortSignal): Promise<void> {
    // a pending promise alone does not keep Node alive
    const alive = setInterval(() => {}, 2 ** 30);
    try {
      while (!done()) await this.#once(Infinity, signal);
    } finally {
      clearInterval(alive);
    }
  }

  async #once(timeout: number, signal?: AbortSignal): Promise<boolean> {
    const running: Promise<unknown>[] = [];
    if (!this.runNext(running)) {
      if (timeout <= 0) {
        await turn();
        if (!this.runNext(running)) return false;
      } else if (!(await this.#ready(timeout, signal)) || !this.runNext(running)) return false;
    }
    await Promise.race([turn(), ...running]);
    return true;
  }

  /** True when something was woken; false on timeout, abort or shutdown. */
  #ready(timeout: number, signal?: AbortSignal): Promise<boolean> {
    if (signal?.aborted || this.#stopped) return Promise.resolve(false);
    return new Promise((resolve) => {
      const settle = (ready: boolean) => {
        this.#wakeUp = undefined;
        cancel?.();
        signal?.removeEventListener("abort", aborted);
        resolve(ready);
      };
      const aborted = () => settle(false);
      const cancel =
        timeout === Infinity ? undefined : this.time.schedule(nanoseconds(timeout), () => settle(false));
      signal?.addEventListener("abort", aborted);
      this.#wakeUp = () => settle(!this.#stopped);
    });
  }
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

function run(
  entity: Entity,
  group: CallbackGroup | undefined,
  work: () => unknown,
  running?: Promise<unknown>[],
): void {
  let result: unknown;
  try {
    result = work();
  } catch (error) {
    entity.fail(error);
  }
  if (!isPromise(result)) {
    group?.end();
    return;
  }
  const ended = Promise.resolve(result).then(
    () => group?.end(),
    (error) => {
      entity.fail(error);
      group?.end();
    },
  );
  running?.push(ended);
}

const isPromise = (value: unknown): value is PromiseLike<unknown> =>
  typeof (value as PromiseLike<unknown> | undefined)?.then === "function";

/** Callbacks per turn of the event loop, so that sockets and timers have theirs. */
const PER_TURN = 256;

/**
 * Spins by itself on the event loop: callbacks run as soon as they are ready and the code that is running gives way.
 * It does not keep the process alive: timers, waits and open connections do, as ever in Node.
 */
class EventLoopExecutor extends Executor {
  #scheduled = false;
  #budget = PER_TURN;
  #refill = false;

  protected override onReady(): void {
    super.onReady();
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(this.#drain);
  }

  readonly #drain = (): void => {
    if (!this.#refill) {
      this.#refill = true;
      setImmediate(() => {
        this.#refill = false;
        this.#budget = PER_TURN;
      });
    }
    while (this.#budget > 0 && this.runNext()) this.#budget--;
    if (this.#budget > 0) this.#scheduled = false;
    // after the refill, which was asked for first
    else setImmediate(this.#drain);
  };
}

let shared: Executor | undefined;

/**
 * The executor of nodes that name none; one for the process. It spins by itself.
 * @example
 * const node = await ros.createNode("n");
 * const isHeld = ros.defaultExecutor().nodes.includes(node);
 * await node.destroy();
 * isHeld // true
 */
export function defaultExecutor(): Executor {
  shared ??= new EventLoopExecutor();
  return shared;
}
