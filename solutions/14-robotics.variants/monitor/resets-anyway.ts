// expect: wrong 9/10
// fails: watchdogs and latch
// why: reset asks nobody
/** m/s, m/s². */
interface Limits {
  maxSpeed: number;
  maxAcceleration: number;
  braking: number;
}
interface Scan {
  /** Seconds. */
  time: number;
  angleMin: number;
  angleIncrement: number;
  /** Metres. */
  ranges: ArrayLike<number>;
}
interface Situation {
  /** Now, seconds. */
  time: number;
  scan: Scan | null;
  /** m/s, negative backward. */
  speed: number | null;
  /** When the driving stack last gave a sign of life. */
  heartbeat: number | null;
}
interface Guard {
  limits: Limits;
  reaction: number;
  radius: number;
  margin: number;
  timeout: number;
}
type Reason = "scan" | "heartbeat" | "blind" | "obstacle";

function stoppingDistance(
  speed: number | null,
  { maxSpeed, maxAcceleration, braking }: Limits,
  reaction: number,
): number {
  const v = speed === null || Number.isNaN(speed) ? maxSpeed : Math.abs(speed);
  const gaining = Math.min(reaction, Math.max(0, (maxSpeed - v) / maxAcceleration));
  const top = v + maxAcceleration * gaining;
  return ((v + top) / 2) * gaining + top * (reaction - gaining) + top ** 2 / (2 * braking);
}

function freeWay({ angleMin, angleIncrement, ranges }: Scan, radius: number, direction: 1 | -1): number {
  let free = Infinity;
  for (let i = 0; i < ranges.length; i++) {
    if (ranges[i] === -Infinity) return 0;
    if (!Number.isFinite(ranges[i])) continue;
    const angle = angleMin + i * angleIncrement;
    const [x, y] = [direction * ranges[i] * Math.cos(angle), ranges[i] * Math.sin(angle)];
    if (Math.hypot(x, y) <= radius) return 0;
    if (Math.abs(y) < radius && x > 0) free = Math.min(free, x - Math.sqrt(radius ** 2 - y ** 2));
  }
  return free;
}

class Monitor {
  latched: Reason | null = null;
  private isWell = false;
  constructor(readonly guard: Guard) {}

  update(situation: Situation): boolean {
    const reason = this.reasonOf(situation);
    this.isWell = reason === null;
    this.latched ??= reason;
    return this.latched === null;
  }

  reset(): boolean {
    this.latched = null;
    return true;
  }

  private reasonOf({ time, scan, speed, heartbeat }: Situation): Reason | null {
    const { limits, reaction, radius, margin, timeout } = this.guard;
    if (!scan || !(Math.abs(time - scan.time) <= timeout)) return "scan";
    if (heartbeat === null || !(Math.abs(time - heartbeat) <= timeout)) return "heartbeat";
    const blind = Array.from(scan.ranges).filter((range) => Number.isNaN(range)).length;
    if (scan.ranges.length === 0 || blind > 0.3 * scan.ranges.length) return "blind";
    const needed = stoppingDistance(speed, limits, reaction);
    const known = speed !== null && !Number.isNaN(speed) ? speed : 0;
    const ways: (1 | -1)[] = known > 0 ? [1] : known < 0 ? [-1] : [1, -1];
    return ways.some((direction) => freeWay(scan, radius + margin, direction) < needed) ? "obstacle" : null;
  }
}
