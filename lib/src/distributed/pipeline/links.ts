/**
 * What stages send each other during a step: activations to the next, gradients to the one before. Sending and receiving
 * go on beside the computation; what will be needed next is asked for ahead.
 */
import { detached } from "../../autodiff/backward.js";
import { DTYPES, isFloat } from "../../core/dtype.js";
import { TransformError } from "../../core/errors.js";
import type { TensorType } from "../../core/shape.js";
import type { Tensor } from "../../core/tensor.js";
import { tensor } from "../../ops/convert.js";
import type { ProcessGroup, Work } from "../group/process-group.js";
import type { Action } from "./schedules/schedule.js";

/** Numbers of a message that tells of what type the activations of a boundary are: dtype, number of axes, sizes. */
const HEADER = 18;

/** Types of the activations that leave each stage, by what goes into the first: learnt once, by both sides alike. */
export type KnownTypes = Map<string, TensorType>;

export class Links {
  private readonly asked = new Map<string, Work<Tensor>>();
  private readonly own = new Map<string, Tensor>();
  private sent: Work[] = [];

  constructor(
    private readonly group: ProcessGroup,
    private readonly stages: number,
    private readonly known: KnownTypes,
    /** Tells micro-batches of different types apart. */
    private readonly signature: (microBatch: number) => string,
  ) {}

  /** Asks for what an action needs, if it comes from another member and its type is known. */
  ask(action: Action): void {
    const from = this.source(action);
    if (from === null || this.rankOf(from) === this.group.rank) return;
    const key = keyOf(from);
    const type = this.known.get(this.boundary(from));
    if (!type || this.asked.has(key) || this.ends(from)) return;
    this.asked.set(key, this.group.receive(type, this.rankOf(from), { tag: this.tag(from, 0) }));
  }

  /** What an action needs: activations of the stage before, or gradients of the one behind; `null` where there are none. */
  take(action: Action): Tensor | null {
    const from = this.source(action);
    if (from === null || this.ends(from)) return null;
    const key = keyOf(from);
    if (this.rankOf(from) === this.group.rank) {
      const here = this.own.get(key);
      if (!here) throw new TransformError(`pipeline: ${key} was not there when it was needed`);
      this.own.delete(key);
      return here;
    }
    this.learn(from);
    this.ask(action);
    const work = this.asked.get(key) as Work<Tensor>;
    this.asked.delete(key);
    return work.wait();
  }

  /** Sends what an action made to the stage that needs it, if there is one. It may be disposed at once. */
  give(made: Action, x: Tensor): void {
    const to = made.phase === "forward" ? made.stage + 1 : made.stage - 1;
    if (to < 0 || to >= this.stages) return;
    const rank = to % this.ranks;
    const plain = detached(x); // off the tape, of no scope
    if (rank === this.group.rank) {
      this.known.set(this.boundary(made), { shape: x.shape, dtype: x.dtype });
      this.own.set(keyOf(made), plain);
      return;
    }
    if (made.phase === "forward") this.tell(made, plain, rank);
    this.sent.push(this.group.send(plain, rank, { tag: this.tag(made, 0) }));
    plain.dispose(); // the group holds it until it has left
    const gone = new Set(this.sent.filter((work) => work.done));
    this.sent = this.sent.filter((work) => !gone.has(work));
    for (const work of gone) work.wait(); // tells at once if it failed
  }

  /** Waits until everything has left. */
  finish(): void {
    for (const work of this.sent.splice(0)) work.wait();
  }

  /** True if an action sends nothing: no gradient comes back where integers went. */
  private ends(from: Action): boolean {
    const type = this.known.get(this.boundary(from));
    return from.phase === "backward" && type !== undefined && !isFloat(type.dtype);
  }

  private get ranks(): number {
    return this.group.size;
  }

  private rankOf({ stage }: Action): number {
    return stage % this.ranks;
  }

  /** The action whose result another needs. */
  private source({ phase, stage, microBatch }: Action): Action | null {
    const from = phase === "forward" ? stage - 1 : stage + 1;
    return from < 0 || from >= this.stages ? null : { phase, stage: from, microBatch };
  }

  /** Where a message passes: gradients have the type of the activations that went the other way. */
  private boundary({ phase, stage, microBatch }: Action): string {
    return `${phase === "forward" ? stage : stage - 1} ${this.signature(microBatch)}`;
  }

  private tag({ phase, stage, microBatch }: Action, header: 0 | 1): number {
    return ((microBatch * this.stages + stage) * 2 + (phase === "forward" ? 0 : 1)) * 2 + header;
  }

  private tell(made: Action, { shape, dtype }: TensorType, rank: number): void {
    const at = this.boundary(made);
    const known = this.known.get(at);
    if (known) {
      if (known.dtype === dtype && known.shape.join() === shape.join()) return;
      throw new TransformError(
        `pipeline: stage ${made.stage} returned ${dtype}(${shape}) for an input for which it returned ${known.dtype}(${known.shape}) before`,
      );
    }
    this.known.set(at, { shape, dtype });
    const words = [DTYPES.indexOf(dtype), shape.length, ...shape];
    if (words.length > HEADER)
      throw new TransformError(`pipeline: activations have at most ${HEADER - 2} axes, got ${shape.length}`);
    const header = tensor([...words, ...new Array<number>(HEADER - words.length).fill(0)], {
      dtype: "int32",
    });
    this.sent.push(this.group.send(header, rank, { tag: this.tag(made, 1) }));
    header.dispose();
  }

  private learn(from: Action): void {
    const at = this.boundary(from);
    if (this.known.has(at)) return;
    const header = this.group
      .receive({ shape: [HEADER], dtype: "int32" }, this.rankOf(from), { tag: this.tag(from, 1) })
      .wait();
    const [dtype, axes, ...sizes] = header.toArray() as number[];
    header.dispose();
    this.known.set(at, { dtype: DTYPES[dtype], shape: sizes.slice(0, axes) });
  }
}

const keyOf = ({ phase, stage, microBatch }: Action): string => `${phase} ${stage} ${microBatch}`;
