/** Operations under way on a member's communication thread: started by orders, ended by algorithms, errors or time. */
import { memberOf } from "../collectives/member.js";
import { errorData, errorOf, GroupTimeoutError, PeerLostError, TransportError } from "../transport/errors.js";
import type { Transport } from "../transport/transport.js";
import { carryOut } from "./carry-out.js";
import { MAX_MESSAGE, type Notice, Notices, shortened } from "./notices.js";
import type { Order } from "./protocol.js";

type GroupOrder = Extract<Order, { do: "group" }>;
/** Orders that are operations of a group. */
export type OperationOrder = Extract<Order, { what: string }>;

/** Whom the thread that computes is told by. */
export interface Ends {
  done(slot: number): void;
  value(slot: number, value: unknown): void;
  failed(slot: number, error: Error): void;
}

/** Most milliseconds for the members to say how far they are, when one has waited too long. */
const GRACE = 5000;
/** Tags: number of the group, whether between two members, and the operation's number or the user's tag. */
const NUMBERS = 2 ** 20;

interface Running {
  readonly order: OperationOrder;
  /** Number among the group's collectives; −1 between two members. */
  readonly n: number;
  readonly deadline: number;
  /** How far the members are that have answered, once they were asked. */
  asked: { readonly until: number; readonly at: Map<number, number> } | null;
}

interface Group {
  readonly number: number;
  readonly name: string;
  readonly ranks: readonly number[];
  readonly rank: number;
  /** Collectives so far. */
  n: number;
  readonly running: Set<Running>;
  /** What the member before this one said of operations that are not here yet; and what was here before it said so. */
  readonly theirs: Map<number, string>;
  readonly ours: Map<number, string>;
  /** Messages to members, and from them. */
  readonly sent: Map<number, number>;
  readonly received: Map<number, number>;
  readonly left: Map<number, { readonly n: number; readonly sent: number }>;
  broken: Error | null;
  leaving: { readonly slot: number } | null;
}

export class Operations {
  private readonly groups = new Map<number, Group>();
  /** Notices for groups that are not here yet; and groups that were. */
  private readonly early = new Map<number, { readonly from: number; readonly notice: Notice }[]>();
  private readonly over = new Set<number>();
  private readonly lost = new Map<number, PeerLostError>();
  private readonly notices: Notices;
  /** The first group of all members: only its collectives come in the same order everywhere, as an engine's own must. */
  private whole: number | null = null;
  /** Counts starts and ends, for the thread to see whether something has happened. */
  steps = 0;

  constructor(
    private readonly transport: Transport,
    private readonly ends: Ends,
  ) {
    this.notices = new Notices(
      transport,
      (from, notice) => this.hear(from, notice),
      (rank, error) => this.lose(rank, error),
    );
  }

  join({ group: number, name, ranks }: GroupOrder): void {
    const group: Group = {
      number,
      name,
      ranks,
      rank: ranks.indexOf(this.transport.rank),
      n: 0,
      running: new Set(),
      theirs: new Map(),
      ours: new Map(),
      sent: new Map(),
      received: new Map(),
      left: new Map(),
      broken: null,
      leaving: null,
    };
    this.groups.set(number, group);
    if (ranks.length === this.transport.size) this.whole ??= number;
    for (const { from, notice } of this.early.get(number) ?? []) this.hear(from, notice);
    this.early.delete(number);
    for (const rank of ranks) {
      const error = this.lost.get(rank);
      if (error && !group.left.has(rank)) group.broken ??= error;
    }
  }

  start(order: OperationOrder): void {
    this.steps++;
    const group = this.groups.get(order.group);
    const between = order.do === "send" || order.do === "receive";
    if (!group || group.broken) {
      this.ends.failed(order.slot, refusal(order, group?.broken));
      return;
    }
    const n = between ? -1 : group.n++;
    const running: Running = { order, n, deadline: Date.now() + order.timeout, asked: null };
    group.running.add(running);
    if (!between) this.agree(group, n, order.what);
    for (const [rank, { n: last }] of group.left)
      if (!between && n >= last) this.breakUp(group, new PeerLostError(rank, "it has left the group"), false);
    if (group.broken) return;
    const tag = (group.number * 2 + (between ? 1 : 0)) * NUMBERS;
    const count = (of: Map<number, number>, rank: number): unknown => of.set(rank, (of.get(rank) ?? 0) + 1);
    const own = between ? tag + order.tag : tag + (n % NUMBERS);
    if (order.do === "send") count(group.sent, group.ranks[order.to]);
    // one call each: what needs several would be overtaken between them, on some members and not on others
    const single = order.do === "collective" && group.number === this.whole;
    const native = single ? this.transport.collective?.bind(this.transport) : undefined;
    const member = memberOf(this.transport, own, group.ranks, { native });
    carryOut(member, this.transport, group.ranks, own, order).then(
      (value) => {
        if (order.do === "receive") count(group.received, group.ranks[order.from]);
        if (!this.finish(group, running)) return;
        if (value === undefined) this.ends.done(order.slot);
        else this.ends.value(order.slot, value);
        if (between) this.checkLeft(group);
      },
      (error: Error) => {
        if (!group.running.has(running)) return;
        if (between && !(error instanceof PeerLostError)) {
          this.finish(group, running);
          this.ends.failed(order.slot, error);
        } else if (error instanceof TransportError) {
          // lengths that don't fit: members disagree, and their notices, which are on their way, say it better
          setTimeout(() => this.breakUp(group, error, true), GRACE);
        } else this.breakUp(group, error, true);
      },
    );
    if (between) this.checkLeft(group);
  }

  leave(number: number, slot: number, error: string | null): void {
    const group = this.groups.get(number);
    if (!group) {
      this.ends.done(slot);
      return;
    }
    group.leaving = { slot };
    if (error !== null && !group.broken)
      this.breakUp(group, new PeerLostError(this.transport.rank, error), true);
    this.maybeLeft(group);
  }

  /** The next moment at which something may be too late. */
  deadline(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const { running } of this.groups.values())
      for (const { deadline, asked } of running) next = Math.min(next, asked?.until ?? deadline);
    return next;
  }

  get busy(): boolean {
    for (const { running } of this.groups.values()) if (running.size > 0) return true;
    return false;
  }

  /** Looks for operations that have waited too long. */
  tick(now: number): void {
    for (const group of this.groups.values())
      for (const running of group.running) {
        if (group.broken) break;
        if (running.asked) {
          if (now >= running.asked.until || running.asked.at.size === group.ranks.length - 1)
            this.breakUp(group, this.timeoutOf(group, running), true);
        } else if (now >= running.deadline) {
          this.steps++;
          running.asked = { until: running.n < 0 ? now : now + GRACE, at: new Map() };
          if (running.n >= 0) this.tellAll(group, { kind: "ask", group: group.number, n: running.n });
          else this.breakUp(group, this.timeoutOf(group, running), true);
        }
      }
  }

  private finish(group: Group, running: Running): boolean {
    this.steps++;
    if (!group.running.delete(running)) return false;
    this.maybeLeft(group);
    return true;
  }

  private maybeLeft(group: Group): void {
    if (!group.leaving || group.running.size > 0) return;
    if (!group.broken)
      for (const rank of group.ranks)
        if (rank !== this.transport.rank)
          this.notices.tell(rank, {
            kind: "leave",
            group: group.number,
            n: group.n,
            sent: group.sent.get(rank) ?? 0,
          });
    this.groups.delete(group.number);
    this.over.add(group.number);
    const { slot } = group.leaving;
    group.leaving = null; // told once: the slot is another operation's afterwards
    this.ends.done(slot);
  }

  /** All that is under way in the group fails. Its buffers are left alone: late messages may still come for them. */
  private breakUp(group: Group, error: Error, tell: boolean): void {
    this.steps++;
    if (group.broken) return;
    group.broken = error;
    if (tell) {
      const data = errorData(error);
      this.tellAll(group, {
        kind: "broken",
        group: group.number,
        error: { ...data, message: shortened(data.message, MAX_MESSAGE) },
      });
    }
    for (const { order } of [...group.running]) this.ends.failed(order.slot, error);
    group.running.clear();
    this.maybeLeft(group);
  }

  private tellAll(group: Group, notice: Notice): void {
    for (const rank of group.ranks) if (rank !== this.transport.rank) this.notices.tell(rank, notice);
  }

  /** Tells the next member what this one does, and compares with what the one before says. */
  private agree(group: Group, n: number, what: string): void {
    if (group.ranks.length === 1) return;
    const next = group.ranks[(group.rank + 1) % group.ranks.length];
    this.notices.tell(next, { kind: "op", group: group.number, n, what: shortened(what) });
    const theirs = group.theirs.get(n);
    if (theirs === undefined) group.ours.set(n, shortened(what));
    else {
      group.theirs.delete(n);
      this.compare(group, n, shortened(what), theirs);
    }
  }

  private compare(group: Group, n: number, ours: string, theirs: string): void {
    if (ours === theirs) return;
    const { rank, ranks, name } = group;
    const before = (rank + ranks.length - 1) % ranks.length;
    this.breakUp(
      group,
      new TransportError(`operation ${n} of ${name}: rank ${before} calls ${theirs}, rank ${rank} ${ours}`),
      true,
    );
  }

  private hear(from: number, notice: Notice): void {
    const group = this.groups.get(notice.group);
    if (!group) {
      if (this.over.has(notice.group)) {
        if (notice.kind === "ask")
          this.notices.tell(from, { kind: "at", group: notice.group, n: -1, asked: notice.n });
        return;
      }
      const list = this.early.get(notice.group);
      if (list) list.push({ from, notice });
      else this.early.set(notice.group, [{ from, notice }]);
      return;
    }
    this.steps++;
    switch (notice.kind) {
      case "op": {
        const ours = group.ours.get(notice.n);
        if (ours === undefined) group.theirs.set(notice.n, notice.what);
        else {
          group.ours.delete(notice.n);
          this.compare(group, notice.n, ours, notice.what);
        }
        return;
      }
      case "broken":
        this.breakUp(group, errorOf(notice.error), false);
        return;
      case "ask":
        this.notices.tell(from, { kind: "at", group: group.number, n: group.n, asked: notice.n });
        return;
      case "at":
        for (const running of group.running)
          if (running.n === notice.asked) running.asked?.at.set(from, notice.n);
        this.tick(Date.now());
        return;
      case "leave":
        group.left.set(from, notice);
        if ([...group.running].some(({ n }) => n >= notice.n))
          this.breakUp(group, new PeerLostError(from, "it has left the group"), false);
        else this.checkLeft(group);
    }
  }

  /** Messages that are waited for, of members that have left and sent all they had. */
  private checkLeft(group: Group): void {
    for (const [rank, { sent }] of group.left) {
      const waits = (order: OperationOrder): boolean =>
        (order.do === "receive" &&
          group.ranks[order.from] === rank &&
          (group.received.get(rank) ?? 0) >= sent) ||
        (order.do === "send" && group.ranks[order.to] === rank);
      if ([...group.running].some(({ order }) => waits(order)))
        this.breakUp(group, new PeerLostError(rank, "it has left the group"), false);
    }
  }

  private lose(rank: number, cause: unknown): void {
    const error = cause instanceof PeerLostError ? cause : new PeerLostError(rank, String(cause));
    this.lost.set(rank, error);
    for (const group of this.groups.values())
      if (group.ranks.includes(rank) && !group.left.has(rank)) this.breakUp(group, error, true);
  }

  private timeoutOf({ name, ranks }: Group, { order, n, asked }: Running): Error {
    const start = `${order.what}: not finished within ${order.timeout} ms`;
    if (order.do === "receive")
      return new GroupTimeoutError(`${start}: rank ${order.from} of ${name} has sent nothing`);
    if (order.do === "send")
      return new GroupTimeoutError(`${start}: rank ${order.to} of ${name} has not taken it`);
    const missing: string[] = [];
    const silent: number[] = [];
    for (const [i, rank] of ranks.entries()) {
      if (rank === this.transport.rank) continue;
      const at = asked?.at.get(rank);
      if (at === undefined) silent.push(i);
      else if (at <= n) missing.push(at < 0 ? `${i} (it has left)` : `${i} (it has called ${at})`);
    }
    const parts = [
      missing.length > 0 ? `not called by rank ${missing.join(", ")}` : "",
      silent.length > 0 ? `no answer from rank ${silent.join(", ")}` : "",
    ].filter((part) => part !== "");
    const rest = parts.length > 0 ? parts.join("; ") : "all members have called it";
    return new GroupTimeoutError(`${start}, as operation ${n} of ${name}: ${rest}`);
  }
}

/** Why an operation does not start: its group is closed, or broke before. */
function refusal({ what }: OperationOrder, broken: Error | null | undefined): Error {
  if (!broken) return new TransportError(`${what}: this group is closed`);
  if (broken instanceof PeerLostError) return broken;
  const { name, message } = errorData(broken);
  return errorOf({ name, message: `${what}: this group is broken: ${message}` });
}
