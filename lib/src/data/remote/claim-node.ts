/** `claim`: of the positions of an epoch, those that a dispatcher gives to this consumer and to no other. */
import { randomUUID } from "node:crypto";
import { MlsysError } from "../../core/errors.js";
import type { Maybe } from "../dataset/maybe.js";
import {
  type Cursor,
  END,
  type Node,
  type Opening,
  type Pulled,
  type RandomAccess,
  type State,
} from "../dataset/node.js";
import type { Block } from "./claims.js";
import { BEAT_MS, Membership } from "./membership.js";

export interface ClaimOptions {
  readonly dispatcher: string;
  readonly secret?: string;
  /** Consumers of one name share the epochs. Default "data". */
  readonly name?: string;
  /** Positions that are given at a time. Default 64. */
  readonly block?: number;
  /** Milliseconds without an answer before the walk ends with an error; a wait for other consumers does not count. Default 30 000. */
  readonly timeout?: number;
}

export function claimNode<T>(input: Node<T>, options: ClaimOptions): Node<T> {
  return {
    op: "claim",
    name: `claim(${options.name ?? "data"})`,
    inputs: [input],
    spec: { kind: "other" },
    open: (opening, state) => new Claiming(input, options, opening, state),
  };
}

class Claiming<T> implements Cursor<T> {
  private readonly access: RandomAccess<T>;
  private readonly consumer: string;
  private readonly name: string;
  private block: Block | null = null;
  /** A block of a state, which the dispatcher may have given to another meanwhile. */
  private unsure: Block | null = null;
  private at = 0;
  private ended = false;
  private member: Promise<Membership> | null = null;
  private answer: ((kind: string, frames: readonly string[]) => void) | null = null;
  private reached = false;
  private questions = 0;

  constructor(
    input: Node<T>,
    private readonly options: ClaimOptions,
    private readonly opening: Opening,
    state: State | undefined,
  ) {
    this.access = (input.indexed as NonNullable<Node<T>["indexed"]>)(opening.epoch);
    this.name = options.name ?? "data";
    this.consumer = (state?.consumer as string | undefined) ?? randomUUID();
    this.ended = state?.ended === true;
    if (typeof state?.at === "number" && typeof state.end === "number" && state.at < state.end)
      this.unsure = { start: state.at, end: state.end };
  }

  next(): Maybe<Pulled<T>> {
    if (this.block && this.at < this.block.end) return this.access.at(this.at++);
    return this.ended ? END : this.further();
  }

  state(): State {
    const block = this.block ?? this.unsure;
    const rest = block && { at: this.block ? this.at : block.start, end: block.end };
    return { consumer: this.consumer, ...rest, ...(this.ended ? { ended: true } : {}) };
  }

  async close(): Promise<void> {
    if (!this.member) return;
    const member = await this.member.catch(() => null);
    member?.say("release", this.consumer, this.name, String(this.opening.epoch), String(this.at));
    member?.close();
  }

  private async further(): Promise<Pulled<T>> {
    const { unsure } = this;
    if (unsure) {
      this.unsure = null;
      const [kind] = await this.ask("hold", String(unsure.start), String(unsure.end));
      if (kind === "held") {
        this.block = unsure;
        this.at = unsure.start;
        return this.next();
      }
    }
    const [, [start, end]] = await this.ask("claim", String(this.options.block ?? 64));
    if (Number(start) < 0) {
      this.block = null;
      this.ended = true;
      return END;
    }
    this.block = { start: Number(start), end: Number(end) };
    this.at = this.block.start;
    return this.next();
  }

  private async ask(kind: string, ...more: string[]): Promise<[string, readonly string[]]> {
    const { dispatcher, secret, timeout = 30_000 } = this.options;
    this.member ??= Membership.open(dispatcher, secret, ["consume", this.consumer], [], (heard, frames) =>
      this.answer?.(heard, frames.map(String)),
    );
    const member = await this.member;
    const question = String(this.questions++);
    const { epoch } = this.opening;
    const asked = [
      kind,
      this.consumer,
      this.name,
      String(epoch),
      String(this.access.length),
      question,
      ...more,
    ];
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        if (this.reached) return; // it is there: others hold what is left
        end();
        reject(
          new MlsysError(`dataset: claim: no dispatcher answers at ${dispatcher} for ${timeout / 1000} s`),
        );
      }, timeout);
      const again = setInterval(() => member.say(...asked), BEAT_MS); // one that took us for gone has forgotten it
      const end = (): void => {
        clearTimeout(timer);
        clearInterval(again);
        this.answer = null;
      };
      this.answer = (heard, [to, ...frames]) => {
        if (to !== question) return; // of one that was asked twice
        end();
        this.reached = true;
        resolve([heard, frames]);
      };
      member.say(...asked);
    });
  }
}
