/** Who works on which positions of an epoch: each block of them is given to one consumer, and again if that one is gone. */

export interface Block {
  readonly start: number;
  readonly end: number;
}

interface Epoch {
  readonly length: number;
  next: number;
  /** Blocks that consumers gave back, or did not finish before they were gone. */
  readonly returned: Block[];
  readonly held: Map<string, Held>;
  /** Consumers that wait for blocks that others hold. */
  readonly waiting: Map<string, Asking>;
}

/** What a consumer has, and by which of its questions. */
interface Held {
  readonly block: Block;
  readonly question: string;
}

interface Asking {
  readonly question: string;
  readonly reply: (block: Block | null) => void;
}

/** Epochs of a name that are remembered: consumers are at most one apart. */
const REMEMBERED = 3;

export class Claims {
  private readonly names = new Map<string, Map<number, Epoch>>();

  /**
   * The next block for a consumer, which has finished the one that it held. `null`: all is finished.
   * @param reply is called at once, or when another consumer finishes or is gone; a question that is asked again has the
   *   same answer
   */
  claim(
    {
      name,
      epoch,
      consumer,
      length,
      size,
      question,
    }: {
      readonly name: string;
      readonly epoch: number;
      readonly consumer: string;
      readonly length: number;
      readonly size: number;
      readonly question: string;
    },
    reply: (block: Block | null) => void,
  ): void {
    const at = this.epoch(name, epoch, length);
    const held = at.held.get(consumer);
    if (held?.question === question) {
      reply(held.block);
      return;
    }
    at.held.delete(consumer);
    at.waiting.set(consumer, { question, reply });
    this.serve(at, size);
  }

  /** A consumer goes on from a state: it holds the rest of a block again, unless another one has got it. */
  hold(name: string, epoch: number, length: number, consumer: string, block: Block): boolean {
    const at = this.epoch(name, epoch, length);
    const back = at.returned.findIndex(({ start, end }) => start <= block.start && block.end <= end);
    if (back >= 0) at.returned.splice(back, 1);
    const held = at.held.get(consumer)?.block;
    const own = held !== undefined && held.start <= block.start && block.end <= held.end;
    const fresh = block.start >= at.next; // this dispatcher was started anew
    if (back < 0 && !own && !fresh) return false;
    if (fresh) {
      if (block.start > at.next) at.returned.push({ start: at.next, end: block.start });
      at.next = block.end;
    }
    at.held.set(consumer, { block, question: "" });
    return true;
  }

  /** What a consumer holds is for others. @param from where it stopped, if it told */
  release(
    consumer: string,
    from?: { readonly name: string; readonly epoch: number; readonly at: number },
  ): void {
    for (const [name, epochs] of this.names)
      for (const [number, at] of epochs) {
        at.waiting.delete(consumer);
        const block = at.held.get(consumer)?.block;
        if (!block) continue;
        at.held.delete(consumer);
        const told = from && from.name === name && from.epoch === number;
        const start = told ? Math.max(block.start, Math.min(from.at, block.end)) : block.start;
        if (start < block.end) at.returned.push({ start, end: block.end });
        this.serve(at, block.end - block.start);
      }
  }

  private epoch(name: string, epoch: number, length: number): Epoch {
    const epochs = this.names.get(name) ?? new Map<number, Epoch>();
    this.names.set(name, epochs);
    const known = epochs.get(epoch);
    if (known) return known;
    const made: Epoch = { length, next: 0, returned: [], held: new Map(), waiting: new Map() };
    epochs.set(epoch, made);
    for (const old of epochs.keys()) if (old <= epoch - REMEMBERED) epochs.delete(old);
    return made;
  }

  private serve(at: Epoch, size: number): void {
    for (const [consumer, { question, reply }] of at.waiting) {
      const block = this.take(at, size);
      if (!block && at.held.size > 0) return; // one that is gone may leave its block
      at.waiting.delete(consumer);
      if (block) at.held.set(consumer, { block, question });
      reply(block);
    }
  }

  private take(at: Epoch, size: number): Block | null {
    const back = at.returned.shift();
    if (back) return back;
    if (at.next >= at.length) return null;
    const start = at.next;
    at.next = Math.min(at.length, start + size);
    return { start, end: at.next };
  }
}
