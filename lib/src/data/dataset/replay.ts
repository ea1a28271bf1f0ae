/**
 * Replay: how ops that hold elements back are saved. Elements may be anything (tensors, images), so a state has none of
 * them: it has the input's state before the oldest one that is held, and that one is read again.
 */
import { after, type Maybe } from "./maybe.js";
import { advanced, type Cursor, END, type Node, type Pulled, type State } from "./node.js";

export class Replay<T> {
  private readonly marks: { readonly index: number; readonly state: State }[];

  /**
   * @param every elements between two remembered states of the input
   * @param index of the element that `input` gives next
   * @param node the input's: its states can often be told exactly
   */
  constructor(
    private readonly input: Cursor<T>,
    private readonly every: number,
    public index = 0,
    private readonly node?: Node,
  ) {
    this.marks = [{ index, state: input.state() }];
  }

  next(): Maybe<Pulled<T>> {
    const last = this.marks[this.marks.length - 1];
    if (this.index >= last.index + this.every)
      this.marks.push({ index: this.index, state: this.input.state() });
    return after(this.input.next(), (x) => {
      if (x !== END) this.index++;
      return x;
    });
  }

  /** The input's state before element `index`, which must not be forgotten. */
  stateAt(index: number): State {
    const mark = this.marks.findLast((m) => m.index <= index) ?? this.marks[0];
    if (mark.index === index) return mark.state;
    const exact = this.node && advanced(this.node, mark.state, index - mark.index);
    return exact ?? { from: mark.state, skip: index - mark.index };
  }

  /** True if a look for what may be forgotten is due. */
  get full(): boolean {
    return this.marks.length > 1;
  }

  /** Elements before `index` won't be asked for. */
  forget(index: number): void {
    while (this.marks.length > 1 && this.marks[1].index <= index) this.marks.shift();
  }

  close(): Maybe<void> {
    return this.input.close();
  }
}
