/** The threads of one walk: started when they are needed, put into stages, stopped together. */
import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import { MlsysError, ValueError } from "../../core/errors.js";
import { type BlockOwner, lendSpare, memory, takeBack, takeOver } from "../../runtime/heap.js";
import { Board, MAX_THREADS, type QueueEnd } from "./board.js";
import type { Block } from "./transport.js";
import type { Chunk, Order, StageOrder, WorkerStart } from "./worker.js";

/** Regions of the heap that a thread can note: 4 GiB in pieces of 16 MiB, and more. */
const REGION_WORDS = 1 + 2 * 512;
/** Blocks are sent back to their thread in parcels: of so many, or of so many bytes. */
const RETURN_AT = 16;
const RETURN_BYTES = 1 << 20;

/** Threads of this process's crews that have not ended. */
let running = 0;

/**
 * Worker threads that pipelines have at the moment.
 * @example data.pipelineThreads() // 0
 */
export const pipelineThreads = (): number => running;

class Member implements BlockOwner {
  readonly worker: Worker;
  private readonly orders: MessagePort;
  private readonly regions = new Int32Array(new SharedArrayBuffer(4 * REGION_WORDS));
  /** Blocks that it cut and that live on this thread: bytes by address. */
  private readonly living = new Map<number, number>();
  private freed: number[] = [];
  private freedBytes = 0;
  private ended = false;

  constructor(
    private readonly board: Board,
    readonly number: number,
    /** Of the memory that earlier threads left. */
    part: number,
    onDeath: (reason: string) => void,
  ) {
    lendSpare(this.regions, part);
    const { port1, port2 } = new MessageChannel();
    this.orders = port1;
    const start: WorkerStart = {
      mlsysHeap: { memory, regions: this.regions },
      board: board.words.buffer,
      thread: number,
      orders: port2,
    };
    this.worker = new Worker(new URL("./worker.js", import.meta.url), {
      workerData: start,
      transferList: [port2],
      execArgv: [], // V8's flags are the process's; Node's own may be those of a script given as text
      env: { ...process.env, MLSYS_NUM_THREADS: "1" },
      name: `data ${number}`,
    });
    running++;
    port1.unref();
    this.worker.on("error", (error) => onDeath(`worker ${number} died: ${error.message}`));
    this.worker.on("exit", (code) => onDeath(`worker ${number} ended with exit code ${code}`));
  }

  order(order: Order, move: MessagePort[] = []): void {
    this.orders.postMessage(order, move);
    this.board.ring(this.number);
  }

  keepAlive(on: boolean): void {
    if (this.ended) return;
    if (on) this.worker.ref();
    else this.worker.unref();
  }

  /** A block of its is a storage here from now on. */
  lives({ address }: Block, bytes: number): this {
    this.living.set(address, bytes);
    return this;
  }

  take(address: number, bytes: number): void {
    this.living.delete(address);
    if (this.ended) takeBack(address, bytes);
    else {
      this.freed.push(address, bytes);
      this.freedBytes += bytes;
      if (this.freed.length >= 2 * RETURN_AT || this.freedBytes >= RETURN_BYTES) this.giveBack();
    }
  }

  private giveBack(): void {
    const blocks = Float64Array.from(this.freed);
    this.freed = [];
    this.freedBytes = 0;
    this.orders.postMessage({ kind: "return", blocks } satisfies Order, [blocks.buffer]);
  }

  /** Stops the thread; what it had of the heap is this thread's from now on. */
  async end(): Promise<void> {
    await this.worker.terminate();
    this.close();
  }

  close(): void {
    if (this.ended) return;
    this.ended = true;
    running--;
    this.orders.close();
    takeOver(this.regions, [...this.living]);
  }
}

/** Where chunks go in, and where they come out. */
export interface Line {
  send(chunk: Chunk, move: readonly ArrayBuffer[]): void;
  close(): void;
}

export interface LineStage {
  readonly order: Omit<StageOrder, "kind" | "from" | "member" | "width" | "inputs" | "outputs" | "stage">;
  readonly width: number;
}

/** Looks after blocks that were cut elsewhere. */
export interface BlockKeeper extends BlockOwner {
  /** The block is a storage here from now on. */
  lives(block: Block, bytes: number): BlockOwner;
}

/** Who works for a walk: threads, or data workers elsewhere. */
export interface Team {
  /** Called if the work can't go on. @returns how to take it back */
  onDeath(tell: (reason: string) => void): () => void;
  /** Somebody waits for a chunk, or no longer. */
  hold(on: boolean): void;
  member(number: number): BlockKeeper;
  line(stages: readonly LineStage[], from: number, capacity: number, receive: (chunk: Chunk) => void): Line;
  end(): Promise<void>;
}

export class Crew implements Team {
  private readonly board = new Board();
  private readonly members: Member[] = [];
  private readonly idle: Member[] = [];
  private readonly freeQueues: number[] = [];
  private queues = 0;
  private death: string | null = null;
  private ended = false;
  /** Who waits for a chunk. */
  private waiting = 0;
  private readonly mourners = new Set<(reason: string) => void>();

  /** Called if a thread is gone that should not be. @returns how to take it back */
  onDeath(tell: (reason: string) => void): () => void {
    if (this.death !== null) tell(this.death);
    this.mourners.add(tell);
    return () => this.mourners.delete(tell);
  }

  /** Keeps the process alive as long as somebody waits for threads. */
  hold(on: boolean): void {
    this.waiting += on ? 1 : -1;
    if (this.waiting === (on ? 1 : 0)) for (const member of this.members) member.keepAlive(on);
  }

  member(number: number): Member {
    return this.members[number];
  }

  /**
   * Threads in stages, one behind the other. Chunks are numbered from `from` on.
   * @param receive gets what the last stage made, in order
   * @param capacity chunks that wait in one queue
   */
  line(stages: readonly LineStage[], from: number, capacity: number, receive: (chunk: Chunk) => void): Line {
    let missing = stages.reduce((sum, { width }) => sum + width, 0);
    const widths = [1, ...stages.map(({ width }) => width), 1];
    const teams = stages.map(({ width }) => Array.from({ length: width }, () => this.thread(missing--)));
    const used: number[] = [];
    const ports: MessagePort[] = [];
    // between column k and k + 1: a queue from each of the one to each of the other; columns 0 and last are this thread
    const ends = widths.slice(0, -1).map((width, k) =>
      Array.from({ length: width }, (_, i) =>
        Array.from({ length: widths[k + 1] }, (_, j) => {
          const queue = this.queue();
          used.push(queue);
          const { port1, port2 } = new MessageChannel();
          const producer = k === 0 ? -1 : teams[k - 1][i].number;
          const consumer = k === stages.length ? -1 : teams[k][j].number;
          const room = k === 0 || k === stages.length ? Number.MAX_SAFE_INTEGER : capacity; // this thread counts itself
          return {
            output: { port: port1, queue, other: consumer, capacity: room } as QueueEnd<MessagePort>,
            input: { port: port2, queue, other: producer, capacity: room } as QueueEnd<MessagePort>,
          };
        }),
      ),
    );
    for (const [k, { order, width }] of stages.entries())
      for (const [member, thread] of teams[k].entries()) {
        const inputs = ends[k].map((row) => row[member].input);
        const outputs = ends[k + 1][member].map(({ output }) => output);
        const placed: StageOrder = {
          ...order,
          kind: "stage",
          stage: k,
          from,
          member,
          width,
          inputs,
          outputs,
        };
        thread.order(
          placed,
          [...inputs, ...outputs].map(({ port }) => port),
        );
      }
    const outward = ends[0][0].map(({ output }) => output);
    const inward = ends[stages.length].map((row) => row[0].input);
    ports.push(...outward.map(({ port }) => port), ...inward.map(({ port }) => port));
    const arrived: Chunk[][] = inward.map(() => []);
    let next = from;
    for (const [i, { port, queue, other }] of inward.entries()) {
      port.on("message", (chunk: Chunk) => {
        arrived[i].push(chunk);
        this.board.popped(queue);
        this.board.ring(other);
        // consumer of element j: the queue of producer j mod N, and no other
        for (
          let first = arrived[next % inward.length].shift();
          first;
          first = arrived[next % inward.length].shift()
        ) {
          next++;
          receive(first);
        }
      });
      port.unref(); // the threads keep the process alive, while somebody waits
    }
    return {
      send: (chunk, move) => {
        const { port, queue, other } = outward[chunk.chunk % outward.length];
        port.postMessage(chunk, move);
        this.board.pushed(queue);
        this.board.ring(other);
      },
      close: () => {
        for (const port of ports) port.close();
        this.idle.push(...teams.flat());
        this.freeQueues.push(...used);
      },
    };
  }

  async end(): Promise<void> {
    if (this.ended) return;
    this.ended = true;
    for (const tell of this.mourners) tell("its threads were stopped");
    await Promise.all(this.members.map((member) => member.end()));
  }

  /** @param missing threads that are to come, this one among them */
  private thread(missing: number): Member {
    const idle = this.idle.pop();
    if (idle) return idle;
    const { board, members } = this;
    if (this.ended) throw new MlsysError("pipeline: its threads are stopped");
    if (members.length >= MAX_THREADS)
      throw new ValueError(`pipeline: at most ${MAX_THREADS} threads; lower \`parallel\` or \`workers\``);
    const member: Member = new Member(board, members.length, 1 / missing, (reason) => {
      if (this.ended) return;
      member.close();
      if (this.death !== null) return; // the error says more than the end that follows it
      this.death = reason;
      for (const tell of this.mourners) tell(reason);
    });
    member.keepAlive(this.waiting > 0);
    members.push(member);
    return member;
  }

  private queue(): number {
    const number = this.freeQueues.pop() ?? this.queues++;
    if (number >= Board.queues) throw new ValueError("pipeline: too many threads in neighbouring stages");
    this.board.clear(number);
    return number;
  }
}
