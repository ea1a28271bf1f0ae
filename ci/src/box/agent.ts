/**
 * The judge's correspondent inside the learner's kernel: it calls the functions that the judge asks for and sends
 * back what they return. It knows no tests and no points, and the judge believes nothing of what it says except
 * as the learner's answer: whoever takes it over can only answer for the learner.
 */

import { libraryTensors } from "../kit/library.js";
import { compilePortable, resolveName } from "../kit/resolve.js";
import { AGENT_KEY, FRAMES_MIME } from "../wire/carrier.js";
import type { Frame } from "../wire/frames.js";
import { Peer } from "../wire/peer.js";

type Publish = (bundle: Record<string, unknown>) => void;

/** Puts the agent on the global object. @param firstHandle number of the first handle that this kernel gives out */
export async function install(firstHandle: number): Promise<void> {
  const agent = new Agent(firstHandle);
  Object.defineProperty(globalThis, Symbol.for(AGENT_KEY), {
    value: Object.freeze({ exchange: (frames: string, waitMs: number) => agent.exchange(frames, waitMs) }),
  });
  await agent.exchange("[]", 1);
}

class Agent {
  private outbox: Frame[] = [];
  private wake: () => void = () => {};
  private readonly peer: Peer;
  // Taken now, before any code of the learner's has run.
  private readonly publish = (globalThis as Record<symbol, unknown>)[
    Symbol.for("Jupyter.publish")
  ] as Publish;
  private readonly toJson = JSON.stringify;

  /** Loaded when the first tensor arrives: the library takes its time. */
  private makeTensor: Awaited<ReturnType<typeof libraryTensors>>;
  private libraryLoaded = false;

  constructor(firstHandle: number) {
    this.peer = new Peer({
      firstHandle,
      tensor: (data) => this.makeTensor?.(data) ?? data,
      resolve: resolveName,
      portable: compilePortable,
      send: (frame) => {
        this.outbox.push(frame);
        this.wake();
      },
    });
  }

  async exchange(text: string, waitMs: number): Promise<void> {
    if (!this.libraryLoaded && text.includes('"$":"tensor"')) {
      this.libraryLoaded = true;
      this.makeTensor = await libraryTensors();
    }
    for (const frame of JSON.parse(text) as unknown[]) this.peer.receive(frame);
    if (this.outbox.length === 0) {
      await new Promise<void>((resolve) => {
        this.wake = resolve;
        if (waitMs > 0) setTimeout(resolve, waitMs);
      });
    }
    this.wake = () => {};
    const frames = this.outbox;
    this.outbox = [];
    this.publish({ [FRAMES_MIME]: this.toJson(frames), "text/plain": "" });
  }
}
