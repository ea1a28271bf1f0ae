/** Topics of a client: advertise, publish, subscribe, and back. */
import type { HostPublisher, HostSubscription, QoSEvent } from "../host.js";
import type { MessageType } from "../interfaces/types.js";
import { commonQos, DEFAULT_QOS } from "../offered-qos.js";
import { fromJson, toJson } from "./json.js";
import { BridgeProblem, field, interfaceOf, type Request, rosName, type Session } from "./session.js";

interface Advertised {
  readonly type: MessageType;
  readonly publisher: HostPublisher<unknown>;
  /** Operations that advertised it. */
  readonly ids: Set<unknown>;
}

interface Wish {
  readonly throttle: number;
  readonly queue: number;
  readonly cbor: boolean;
}

/** Deepest queue that a client may ask for. */
const DEEPEST = 1000;

export class Topics {
  private readonly advertised = new Map<string, Advertised>();
  private readonly subscribed = new Map<string, Subscribed>();

  constructor(private readonly session: Session) {}

  advertise(request: Request): void {
    const topic = rosName(request, "topic");
    const type = interfaceOf(request, "msg", request.type, () => this.typeInGraph(topic));
    const held = this.advertised.get(topic);
    if (held !== undefined) {
      if (held.type.name !== type.name)
        throw new BridgeProblem(`advertise: ${topic} is advertised as ${held.type.name}, not ${type.name}`);
      held.ids.add(request.id);
      return;
    }
    this.session.room(this.advertised, "topics advertised");
    const depth = Math.min(Math.max((field(request, "queue_size", "number") as number) || 10, 1), DEEPEST);
    // As rosbridge: a second for subscriptions that ask for what was published before they were found.
    const kept = request.latch === true ? Number.POSITIVE_INFINITY : 1;
    const qos = { ...DEFAULT_QOS, depth, durability: "transient_local", lifespan: kept } as const;
    const publisher = this.session.node.createPublisher(type, topic, { qos });
    this.advertised.set(topic, { type, publisher, ids: new Set([request.id]) });
  }

  unadvertise(request: Request): void {
    const topic = rosName(request, "topic");
    const held = this.advertised.get(topic);
    if (held === undefined) throw new BridgeProblem(`unadvertise: ${topic} is not advertised`);
    // Without an id: all of it.
    if (request.id === undefined) held.ids.clear();
    held.ids.delete(request.id);
    if (held.ids.size > 0) return;
    this.advertised.delete(topic);
    held.publisher.dispose();
  }

  publish(request: Request): void {
    const topic = rosName(request, "topic");
    if (!this.advertised.has(topic)) this.advertise({ op: "publish", topic, type: request.type });
    const { type, publisher } = this.advertised.get(topic)!;
    publisher.publish(type.create(fromJson(type, request.msg ?? {}, this.session.now) as object));
  }

  subscribe(request: Request): void {
    const topic = rosName(request, "topic");
    const compression = field(request, "compression", "string") ?? "none";
    if (compression !== "none" && compression !== "cbor")
      this.session.status(
        "warning",
        `subscribe: compression ${compression} is not offered, sent as JSON`,
        request.id,
      );
    if (field(request, "fragment_size", "number") !== undefined)
      this.session.status("warning", "subscribe: fragments are not offered, sent whole", request.id);
    const wish = {
      cbor: compression === "cbor",
      throttle: Math.max((field(request, "throttle_rate", "number") as number) || 0, 0),
      queue: Math.min(Math.max((field(request, "queue_length", "number") as number) || 0, 0), DEEPEST),
    };
    const type = interfaceOf(request, "msg", request.type, () => this.typeInGraph(topic));
    const held = this.subscribed.get(topic);
    if (held !== undefined && held.type.name !== type.name)
      throw new BridgeProblem(`subscribe: ${topic} is subscribed to as ${held.type.name}, not ${type.name}`);
    if (held !== undefined) {
      held.wish(request.id, wish);
      return;
    }
    this.session.room(this.subscribed, "topics subscribed to");
    const subscribed = new Subscribed(this.session, topic, type);
    subscribed.wish(request.id, wish);
    this.subscribed.set(topic, subscribed);
  }

  unsubscribe(request: Request): void {
    const topic = rosName(request, "topic");
    const held = this.subscribed.get(topic);
    if (held === undefined) throw new BridgeProblem(`unsubscribe: ${topic} is not subscribed to`);
    if (held.unwish(request.id)) return;
    this.subscribed.delete(topic);
    held.dispose();
  }

  dispose(): void {
    for (const { publisher } of this.advertised.values()) publisher.dispose();
    for (const subscribed of this.subscribed.values()) subscribed.dispose();
    this.advertised.clear();
    this.subscribed.clear();
  }

  private typeInGraph(topic: string): string | undefined {
    return this.session.node.topicNamesAndTypes().find(({ name }) => name === topic)?.types[0];
  }
}

/** One topic that a client hears: at the pace of the operation that wishes the quickest. */
class Subscribed {
  private readonly wishes = new Map<unknown, Wish>();
  private subscription: HostSubscription;
  private weaker = false;
  private disposed = false;
  private throttle = 0;
  private queueLength = 0;
  /** As rosbridge: where one operation asks for it. */
  private cbor = false;
  /** Messages that wait for their time. */
  private waiting: unknown[] = [];
  private sentAt = Number.NEGATIVE_INFINITY;
  private cancel: (() => void) | undefined;

  constructor(
    private readonly session: Session,
    readonly topic: string,
    readonly type: MessageType,
  ) {
    this.subscription = this.listen();
  }

  wish(id: unknown, wish: Wish): void {
    // Bounded as all else a client holds is.
    if (!this.wishes.has(id)) this.session.room(this.wishes, `subscriptions to ${this.topic}`);
    this.wishes.set(id, wish);
    this.settle();
  }

  /** Whether others remain. */
  unwish(id: unknown): boolean {
    if (id === undefined) this.wishes.clear();
    this.wishes.delete(id);
    this.settle();
    return this.wishes.size > 0;
  }

  dispose(): void {
    this.disposed = true;
    this.cancel?.();
    this.subscription.dispose();
  }

  private settle(): void {
    const wishes = [...this.wishes.values()];
    this.throttle = Math.min(...wishes.map((wish) => wish.throttle));
    this.cbor = wishes.some((wish) => wish.cbor);
    this.queueLength = Math.min(...wishes.map((wish) => wish.queue));
  }

  /** Asks for what publishers offer; one that comes later and offers less is asked for less. */
  private listen(): HostSubscription {
    const { node } = this.session;
    const offered = node.publishersInfo(this.topic).map((publisher) => publisher.qos);
    const qos = {
      ...commonQos(offered),
      ...(this.weaker && { reliability: "best_effort", durability: "volatile" }),
    };
    const onEvent = (event: QoSEvent) => {
      if (event.type !== "incompatible_qos" || this.weaker) return;
      this.weaker = true;
      queueMicrotask(() => {
        if (this.disposed) return;
        this.subscription.dispose();
        this.subscription = this.listen();
      });
    };
    return node.createSubscription(
      this.type,
      this.topic,
      { qos: qos as typeof DEFAULT_QOS, onEvent },
      (message) => this.take(message),
    );
  }

  private take(message: unknown): void {
    if (this.throttle <= 0) {
      this.send(message);
      return;
    }
    const wait = this.sentAt + this.throttle - this.session.timer.now();
    if (wait <= 0 && this.waiting.length === 0) {
      this.send(message);
      return;
    }
    if (this.queueLength === 0) return; // too soon: dropped
    this.waiting.push(message);
    if (this.waiting.length > this.queueLength) this.waiting.shift();
    this.cancel ??= this.session.timer.after(Math.max(wait, 0), () => this.release());
  }

  private release(): void {
    this.cancel = undefined;
    if (this.disposed || this.waiting.length === 0) return;
    this.send(this.waiting.shift());
    if (this.waiting.length > 0) this.cancel = this.session.timer.after(this.throttle, () => this.release());
  }

  private send(message: unknown): void {
    this.sentAt = this.session.timer.now();
    // A client that reads too slowly misses messages rather than filling this process's memory.
    if (this.session.client.backlog > this.session.limits.backlog) return;
    const { topic } = this;
    if (this.cbor) this.session.sendCbor({ op: "publish", topic, msg: message });
    else this.session.send({ op: "publish", topic, msg: toJson(this.type, message) });
  }
}
