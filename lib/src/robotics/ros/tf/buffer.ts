/**
 * Transforms between the frames of a robot as they come in, and the transform between any two frames of the tree, at any
 * time that is kept. Its rules and errors are tf2's: https://docs.ros.org/en/rolling/Concepts/Intermediate/About-Tf2.html
 */

import { nanoseconds, type TimeMessage } from "../node/time.js";
import { machineTime, type TimeBase } from "../node/time-base.js";
import type { WaitOptions } from "../node/wait.js";
import {
  ConnectivityError,
  ExtrapolationError,
  InvalidTransformError,
  TransformException,
  TransformLookupError,
  TransformTimeoutError,
} from "./errors.js";
import { type Entry, type FrameHistory, MovingHistory, StaticHistory } from "./frame-history.js";
import { normalize } from "./quaternion.js";
import { type TimeLike, toNanoseconds, toStamp } from "./time.js";
import { composeTransforms, IDENTITY_TRANSFORM, invertTransform, type RigidTransform } from "./transform.js";

/** `geometry_msgs/msg/TransformStamped`: takes points of `child_frame_id` to `header.frame_id`. */
export interface TransformStamped {
  readonly header: { readonly stamp: Readonly<TimeMessage>; readonly frame_id: string };
  readonly child_frame_id: string;
  readonly transform: RigidTransform;
}

export interface TransformBufferOptions {
  /** Seconds for which transforms are kept. Default 10. */
  readonly cacheTime?: number;
  /** By which timeouts of waits go. Default: the machine's; a node's is `node.time`. */
  readonly time?: TimeBase;
}

/** Of one frame, for displays of the tree. */
export interface FrameInfo {
  readonly name: string;
  readonly parent: string;
  readonly isStatic: boolean;
  /** Who sent it. */
  readonly authority: string;
  /** Nanoseconds; 0 of static frames. */
  readonly oldest: bigint;
  readonly latest: bigint;
  /** Transforms that are kept. */
  readonly count: number;
}

/** How far the norm of a rotation that comes in may be from 1. */
const NORM_TOLERANCE = 1e-2;

/**
 * A tree of frames over time.
 * @example
 * const buffer = new ros.tf.TransformBuffer();
 * buffer.set({ header: { stamp: { sec: 1, nanosec: 0 }, frame_id: "map" }, child_frame_id: "base",
 *   transform: { translation: { x: 2, y: 0, z: 0 }, rotation: { x: 0, y: 0, z: 0, w: 1 } } });
 * buffer.lookup("map", "base").transform.translation.x // 2
 */
export class TransformBuffer {
  private readonly histories = new Map<string, FrameHistory>();
  private readonly authorities = new Map<string, string>();
  /** Also the parents that have no transform of their own. */
  private readonly known = new Set<string>();
  private readonly listeners = new Set<() => void>();
  private readonly cacheTime: bigint;
  private readonly time: TimeBase;

  constructor(options: TransformBufferOptions = {}) {
    this.cacheTime = nanoseconds(options.cacheTime ?? 10);
    this.time = options.time ?? machineTime;
  }

  /**
   * Takes a transform in. A later `isStatic` of the same frame forgets what it was before.
   * @returns false where it is older than what is kept: it is dropped
   * @throws InvalidTransformError of frames without a name or equal, of numbers that aren't finite, of a rotation whose norm isn't 1
   */
  set(transform: TransformStamped, options: { isStatic?: boolean; authority?: string } = {}): boolean {
    const { isStatic = false, authority = "" } = options;
    const parent = transform.header.frame_id.replace(/^\//, "");
    const child = transform.child_frame_id.replace(/^\//, "");
    checkTransform(parent, child, transform.transform);
    const { translation, rotation } = transform.transform;
    const entry: Entry = {
      stamp: isStatic ? 0n : toNanoseconds(transform.header.stamp),
      parent,
      transform: {
        translation: { x: translation.x, y: translation.y, z: translation.z },
        rotation: normalize(rotation),
      },
    };
    let history = this.histories.get(child);
    if (history?.isStatic !== isStatic) {
      history = isStatic ? new StaticHistory(entry) : new MovingHistory(this.cacheTime);
      this.histories.set(child, history);
    }
    if (!history.insert(entry)) return false;
    this.known.add(parent).add(child);
    this.authorities.set(child, authority);
    for (const listener of [...this.listeners]) listener();
    return true;
  }

  /**
   * The transform that takes points of `source` to `target`, at a time; without one, at the newest that both have.
   * @throws TransformLookupError of an unknown frame, or a loop; ConnectivityError; ExtrapolationError; InvalidTransformError
   */
  lookup(target: string, source: string, time: TimeLike = 0n): TransformStamped {
    const asked = toNanoseconds(time);
    if (target === source) {
      const stamp = asked === 0n ? (this.histories.get(target)?.latest ?? 0n) : asked;
      return stamped(target, source, stamp, IDENTITY_TRANSFORM);
    }
    this.checkFrame("target", target);
    this.checkFrame("source", source);
    const stamp = asked === 0n ? this.latestCommonTime(target, source) : asked;
    const up = this.walk(source, stamp, target);
    if (up.end === target) return stamped(target, source, stamp, up.transforms.at(-1)!);
    const down = this.walk(target, stamp, null, up.frames);
    const meeting = up.frames.indexOf(down.end);
    if (meeting < 0) throw this.apart(target, source, up.stopped ?? down.stopped);
    return stamped(
      ...([target, source, stamp] as const),
      composeTransforms(invertTransform(down.transforms.at(-1)!), up.transforms[meeting]),
    );
  }

  /**
   * Between two times, over a frame that stands still: where what `source` saw at `sourceTime` is in `target` at `targetTime`.
   * @throws as lookup
   */
  lookupAcross(
    target: string,
    targetTime: TimeLike,
    source: string,
    sourceTime: TimeLike,
    fixed: string,
  ): TransformStamped {
    const before = this.lookup(fixed, source, sourceTime);
    const after = this.lookup(target, fixed, targetTime);
    const transform = composeTransforms(after.transform, before.transform);
    return { header: { ...after.header, frame_id: target }, child_frame_id: source, transform };
  }

  /** Whether `lookup` would tell it. */
  can(target: string, source: string, time: TimeLike = 0n): boolean {
    try {
      this.lookup(target, source, time);
      return true;
    } catch (error) {
      if (error instanceof TransformException) return false;
      throw error;
    }
  }

  /**
   * As `lookup`, as soon as that tells it.
   * @throws TransformTimeoutError after `timeout` seconds, with what was missing; InvalidTransformError; the signal's reason
   */
  async waitFor(
    target: string,
    source: string,
    time: TimeLike = 0n,
    { timeout = Infinity, signal }: WaitOptions = {},
  ): Promise<TransformStamped> {
    signal?.throwIfAborted();
    let missing: Error | undefined;
    const look = (): TransformStamped | null => {
      try {
        return this.lookup(target, source, time);
      } catch (error) {
        if (!(error instanceof TransformException) || error instanceof InvalidTransformError) throw error;
        missing = error;
        return null;
      }
    };
    const found = look();
    if (found) return found;
    const ends: (() => void)[] = [];
    try {
      return await new Promise<TransformStamped>((resolve, reject) => {
        ends.push(
          this.onChange(() => {
            const found = look();
            if (found) resolve(found);
          }),
        );
        const aborted = () => reject(signal!.reason);
        signal?.addEventListener("abort", aborted);
        ends.push(() => signal?.removeEventListener("abort", aborted));
        const late = () =>
          reject(
            new TransformTimeoutError(
              `no transform from "${source}" to "${target}" within ${timeout} s: ${missing?.message}`,
            ),
          );
        if (timeout !== Infinity) ends.push(this.time.schedule(nanoseconds(timeout), late));
      });
    } finally {
      for (const end of ends) end();
    }
  }

  /**
   * The newest time at which all transforms between two frames are known, in nanoseconds; 0 where all are static.
   * @throws as lookup
   */
  latestCommonTime(target: string, source: string): bigint {
    this.checkFrame("target", target);
    this.checkFrame("source", source);
    const up = this.walk(source, 0n, target);
    const down = up.end === target ? null : this.walk(target, 0n, null, up.frames);
    const meeting = down ? up.frames.indexOf(down.end) : up.frames.length - 1;
    if (meeting < 0) throw this.apart(target, source, null);
    const frames = [...up.frames.slice(0, meeting), ...(down ? down.frames.slice(0, -1) : [])];
    const moving = frames.map((frame) => this.histories.get(frame)!).filter(({ isStatic }) => !isStatic);
    return moving.reduce<bigint>(
      (least, { latest }) => (least === 0n || latest < least ? latest : least),
      0n,
    );
  }

  /** Names of all frames, in order of coming. */
  get frameNames(): readonly string[] {
    return [...this.known];
  }

  /** Frames that have a parent. */
  frames(): readonly FrameInfo[] {
    return [...this.histories].map(([name, history]) => ({
      name,
      parent: history.at(0n).parent,
      isStatic: history.isStatic,
      authority: this.authorities.get(name) ?? "",
      oldest: history.oldest,
      latest: history.latest,
      count: history.length,
    }));
  }

  /** Forgets all transforms. */
  clear(): void {
    this.histories.clear();
    this.authorities.clear();
    this.known.clear();
  }

  /** Called after each transform that is taken in; returns what ends it. */
  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  /**
   * From a frame towards the root, until `goal`, or a frame in `meet`, or the root. `transforms[i]` takes points of
   * `frame` to `frames[i]`. Missing data stop it (`stopped`): the way may go another way round.
   */
  private walk(frame: string, time: bigint, goal: string | null, meet: readonly string[] = []): Walk {
    const frames = [frame];
    const transforms = [IDENTITY_TRANSFORM as RigidTransform];
    let stopped: ExtrapolationError | null = null;
    for (let at = frame; at !== goal && !meet.includes(at); ) {
      const history = this.histories.get(at);
      if (!history) break;
      let entry: Entry;
      try {
        entry = history.at(time);
      } catch (error) {
        if (!(error instanceof ExtrapolationError)) throw error;
        stopped = error;
        break;
      }
      at = entry.parent;
      if (frames.includes(at))
        throw new TransformLookupError(
          `the tree of frames has a loop: ${[...frames.slice(frames.indexOf(at)), at].join(" → ")}`,
        );
      frames.push(at);
      transforms.push(composeTransforms(entry.transform, transforms.at(-1)!));
    }
    return { frames, transforms, end: frames.at(-1)!, stopped };
  }

  private apart(target: string, source: string, stopped: ExtrapolationError | null): TransformException {
    if (stopped)
      return new ExtrapolationError(
        `${stopped.message}, when looking up the transform from frame "${source}" to frame "${target}"`,
      );
    return new ConnectivityError(
      `no connection between frames "${target}" and "${source}": they are not part of the same tree`,
    );
  }

  private checkFrame(role: string, frame: string): void {
    if (frame === "") throw new InvalidTransformError(`lookup: the ${role} frame's name is empty`);
    if (frame.startsWith("/"))
      throw new InvalidTransformError(`lookup: the ${role} frame "${frame}" starts with "/"; names do not`);
    if (!this.known.has(frame))
      throw new TransformLookupError(
        `lookup: ${role} frame "${frame}" does not exist (known: ${this.list()})`,
      );
  }

  private list(): string {
    const names = [...this.known];
    return names.length === 0 ? "none" : names.slice(0, 20).join(", ") + (names.length > 20 ? ", …" : "");
  }
}

interface Walk {
  readonly frames: readonly string[];
  readonly transforms: readonly RigidTransform[];
  readonly end: string;
  readonly stopped: ExtrapolationError | null;
}

const stamped = (
  target: string,
  source: string,
  stamp: bigint,
  transform: RigidTransform,
): TransformStamped => ({
  header: { stamp: toStamp(stamp), frame_id: target },
  child_frame_id: source,
  transform,
});

function checkTransform(
  parent: string,
  child: string,
  { translation: t, rotation: q }: RigidTransform,
): void {
  const what = `transform from "${parent}" to "${child}"`;
  if (child === "") throw new InvalidTransformError(`${what}: child_frame_id is empty`);
  if (parent === "") throw new InvalidTransformError(`${what}: header.frame_id is empty`);
  if (child === parent) throw new InvalidTransformError(`${what}: a frame can't be its own parent`);
  const numbers = [t.x, t.y, t.z, q.x, q.y, q.z, q.w];
  if (!numbers.every(Number.isFinite))
    throw new InvalidTransformError(`${what}: not all numbers are finite: ${numbers.join(", ")}`);
  const square = q.x ** 2 + q.y ** 2 + q.z ** 2 + q.w ** 2;
  if (Math.abs(square - 1) >= NORM_TOLERANCE)
    throw new InvalidTransformError(
      `${what}: rotation (${q.x}, ${q.y}, ${q.z}, ${q.w}) has norm ${Math.sqrt(square)}, 1 expected`,
    );
}
