/** Plays a bag into a graph, as `ros2 bag play` does: at its pace or another, paused, step by step, over and over. */
import { type GraphClock, systemClock } from "../graph/clock.js";
import type { HostNode, HostPublisher, RosHost } from "../host.js";
import { msg } from "../interfaces/registry.js";
import { commonQos, DEFAULT_QOS } from "../offered-qos.js";
import { type HostSelection, rosHost } from "../select.js";
import { BagError } from "./errors.js";
import { BagFile, type BagMessage, type BagReadOptions } from "./read.js";

export interface PlayOptions extends HostSelection, BagReadOptions {
  /** How much faster than recorded; `Infinity` as fast as it goes. Default 1. */
  readonly rate?: number;
  /** Begin again at the end, until `stop()`; default false. */
  readonly loop?: boolean;
  /** Begin paused; default false. */
  readonly paused?: boolean;
  /** Names of topics in the bag to names to publish under. */
  readonly remap?: Readonly<Record<string, string>>;
  /** Publish the bag's time on `/clock`: this often a second of it, and before each message. Default false. */
  readonly clock?: boolean | number;
  /** Seconds between making the publishers and the first message, for others to find them; default 0. */
  readonly delay?: number;
  /** Ends the playing when aborted. */
  readonly signal?: AbortSignal;
  /** What paces it; default the system's time. */
  readonly timer?: GraphClock;
}

/** The system's time; unlike a host's timers, these keep the process alive: a bag is played to its end. */
const pacing: GraphClock = {
  time: systemClock.time,
  now: systemClock.now,
  after(ms, run) {
    const timer = setTimeout(run, Math.min(Math.ceil(ms), LONGEST_MS));
    return () => clearTimeout(timer);
  },
};

/** Longest delay that `setTimeout` takes; what wakes too early sleeps again. */
const LONGEST_MS = 2 ** 31 - 1;

/** Times of `/clock` a second where `clock` is true: as `ros2 bag play --clock`. */
const CLOCK_HZ = 40;

/** A bag being played. */
export class Player {
  /** Messages published so far. */
  messageCount = 0;
  /** Resolves at the end, or after `stop()`; rejects where a message can't be read or published. */
  readonly finished: Promise<void>;
  private readonly publishers = new Map<string, HostPublisher<unknown>>();
  private readonly clock?: HostPublisher<{ clock: { sec: number; nanosec: number } }>;
  /** Nanoseconds between two of them. */
  private readonly clockStep: bigint = 0n;
  private readonly timer: GraphClock;
  private readonly node: HostNode;
  private isPaused: boolean;
  private isStopped = false;
  private steps = 0;
  private speed: number;
  /** Where bag time (ns) and the timer's (ms) met last. */
  private anchor = { bag: 0n, real: 0 };
  private wake: () => void = () => {};
  private now: bigint;
  private stepped: (() => void)[] = [];

  /** @internal */
  constructor(
    private readonly bag: BagFile,
    host: RosHost,
    private readonly options: PlayOptions,
  ) {
    const { rate = 1, paused = false, timer = pacing, clock = false, remap = {}, topics } = options;
    this.speed = checkRate(rate);
    this.isPaused = paused;
    this.timer = timer;
    this.now = this.begin;
    this.node = host.createNode("rosbag2_player", "/");
    for (const topic of bag.info.topics) {
      if (topics !== undefined && !topics.includes(topic.name)) continue;
      const type = bag.typeOf(topic.name);
      if (type === undefined) continue;
      const name = remap[topic.name] ?? topic.name;
      const qos = commonQos(topic.qos);
      this.publishers.set(topic.name, this.node.createPublisher(type, name, { qos }));
    }
    if (clock !== false) {
      this.clockStep = BigInt(Math.ceil(1e9 / (clock === true ? CLOCK_HZ : checkRate(clock))));
      this.clock = this.node.createPublisher(msg("rosgraph_msgs/msg/Clock"), "/clock", {
        qos: { ...DEFAULT_QOS, depth: 1 },
      });
    }
    options.signal?.addEventListener("abort", () => this.stop(), { once: true });
    if (options.signal?.aborted) this.stop();
    this.finished = this.run();
    this.finished.catch(() => {}); // whoever awaits it is told
  }

  private get begin(): bigint {
    return this.bag.info.start + BigInt(Math.round((this.options.start ?? 0) * 1e9));
  }

  /** Seconds of the bag played, from its beginning. */
  get position(): number {
    return Number(this.now - this.bag.info.start) / 1e9;
  }

  get paused(): boolean {
    return this.isPaused;
  }

  get rate(): number {
    return this.speed;
  }

  /** @throws RangeError for one that is not above 0 */
  set rate(rate: number) {
    this.settle();
    this.speed = checkRate(rate);
    this.wake();
  }

  pause(): void {
    if (this.isPaused) return;
    this.settle();
    this.isPaused = true;
    this.wake();
  }

  resume(): void {
    if (!this.isPaused) return;
    this.isPaused = false;
    this.meet(this.now);
    this.wake();
  }

  /** Publishes the next message of a paused bag; resolves when it is out, or the bag at its end. */
  step(): Promise<void> {
    if (!this.isPaused) throw new BagError("step() is for a paused player: call pause() first");
    if (this.isStopped) return Promise.resolve();
    this.steps++;
    const done = new Promise<void>((resolve) => this.stepped.push(resolve));
    this.wake();
    return done;
  }

  /** Ends it; `finished` resolves. */
  stop(): void {
    this.isStopped = true;
    this.wake();
  }

  private async run(): Promise<void> {
    const { delay = 0, loop = false } = this.options;
    try {
      const first = this.timer.now() + delay * 1000;
      while (!this.isStopped && this.timer.now() < first) await this.sleep(first - this.timer.now());
      do {
        this.now = this.begin;
        this.meet(this.now);
        let any = false;
        for await (const message of this.bag.messages(this.options)) {
          any = true;
          await this.waitFor(message.time);
          if (this.isStopped) break;
          this.publish(message);
          // As fast as it goes still lets what hears the messages run.
          if (this.speed === Number.POSITIVE_INFINITY) await new Promise((next) => setImmediate(next));
        }
        if (!any) break;
      } while (loop && !this.isStopped);
    } finally {
      this.isStopped = true;
      for (const resolve of this.stepped.splice(0)) resolve();
      this.node.dispose();
      await this.bag.close();
    }
  }

  private publish({ topic, message, time }: BagMessage): void {
    this.now = time;
    this.tick();
    this.publishers.get(topic)?.publish(message);
    this.messageCount++;
    if (this.steps > 0) {
      this.steps--;
      this.stepped.shift()?.();
    }
  }

  private tick(): void {
    const sec = Number(this.now / 1_000_000_000n);
    this.clock?.publish({ clock: { sec, nanosec: Number(this.now % 1_000_000_000n) } });
  }

  /** Until the bag's time has come to `time`, or a step was asked for; `/clock` ticks on the way. */
  private async waitFor(time: bigint): Promise<void> {
    while (!this.isStopped) {
      if (this.isPaused) {
        if (this.steps > 0) return;
        await this.sleep(Number.POSITIVE_INFINITY);
        continue;
      }
      if (this.speed === Number.POSITIVE_INFINITY) return;
      const bag = this.bagTime();
      const tick = this.clock === undefined ? time : this.now + this.clockStep;
      const goal = tick < time ? tick : time;
      if (bag >= goal) {
        if (goal === time) return;
        this.now = goal;
        this.tick();
      } else {
        await this.sleep(Number(goal - bag) / 1e6 / this.speed);
      }
    }
  }

  /** The bag's time now, by the pace since they met. */
  private bagTime(): bigint {
    const passed = (this.timer.now() - this.anchor.real) * this.speed;
    return this.anchor.bag + BigInt(Math.round(passed * 1e6));
  }

  private meet(bag: bigint): void {
    this.anchor = { bag, real: this.timer.now() };
  }

  /** Lets a change of pace begin from now. */
  private settle(): void {
    if (this.isPaused || this.speed === Number.POSITIVE_INFINITY) this.meet(this.now);
    else {
      const bag = this.bagTime();
      this.meet(bag);
      if (bag > this.now) this.now = bag;
    }
  }

  /** Milliseconds, or until woken. */
  private sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      let cancel = () => {};
      this.wake = () => {
        cancel();
        this.wake = () => {};
        resolve();
      };
      if (ms !== Number.POSITIVE_INFINITY) cancel = this.timer.after(ms, this.wake);
    });
  }
}

function checkRate(rate: number): number {
  if (typeof rate === "number" && rate > 0) return rate;
  throw new RangeError(`a rate is a number above 0, got ${rate}`);
}

/** `ros.bag.play`. */
export async function play(path: string, options: PlayOptions = {}): Promise<Player> {
  const bag = await BagFile.open(path);
  try {
    for (const topic of [...(options.topics ?? []), ...Object.keys(options.remap ?? {})]) bag.mustHave(topic);
    return new Player(bag, await rosHost(options), options);
  } catch (error) {
    await bag.close();
    throw error;
  }
}
