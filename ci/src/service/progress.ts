/** Who wants to know how far a submission is, and what they are told. */
import { isDeepStrictEqual } from "node:util";
import type { Progress } from "../submit/protocol.js";
import type { Submissions } from "./submissions.js";

type Listener = (progress: Progress) => void;

export class ProgressBoard {
  private readonly running = new Map<string, Progress>();
  private readonly listeners = new Map<string, Set<Listener>>();

  constructor(private readonly submissions: Submissions) {}

  /** @returns undefined when there is no such submission */
  now(id: string): Progress | undefined {
    const submission = this.submissions.get(id);
    if (!submission) return undefined;
    const { grade } = submission;
    if (grade) return { state: "done", status: grade.status, score: grade.score, points: grade.points };
    return this.running.get(id) ?? { state: "waiting", ahead: Math.max(0, this.waiting().indexOf(id)) };
  }

  /** Tells the current state at once, then each change. @returns what ends it */
  listen(id: string, listener: Listener): () => void {
    const group = this.listeners.get(id) ?? new Set();
    this.listeners.set(id, group.add(listener));
    const now = this.now(id);
    if (now) listener(now);
    return () => {
      group.delete(listener);
      if (group.size === 0) this.listeners.delete(id);
    };
  }

  /** What a grader says about a submission that it works on. */
  set(id: string, progress: Progress): void {
    const before = this.running.get(id);
    this.running.set(id, progress);
    if (before && isDeepStrictEqual(before, progress)) return;
    this.tell(id, progress);
    if (!before) this.moveUp();
  }

  /** It is graded, or given back. */
  drop(id: string): void {
    this.running.delete(id);
    const now = this.now(id);
    if (now) this.tell(id, now);
  }

  private tell(id: string, progress: Progress): void {
    for (const listener of this.listeners.get(id) ?? []) listener(progress);
  }

  /** Those who wait are nearer to the front by one. */
  private moveUp(): void {
    if (this.listeners.size === 0) return;
    this.waiting().forEach((id, ahead) => {
      if (this.listeners.has(id)) this.tell(id, { state: "waiting", ahead });
    });
  }

  private waiting(): string[] {
    return this.submissions.pending().filter((id) => !this.running.has(id));
  }
}
