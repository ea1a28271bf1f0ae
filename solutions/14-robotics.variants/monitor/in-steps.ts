// expect: correct
// why: cases instead of formulas, angles instead of coordinates, reasons in a list
interface Limits {
  maxSpeed: number;
  maxAcceleration: number;
  braking: number;
}
interface Scan {
  time: number;
  angleMin: number;
  angleIncrement: number;
  ranges: ArrayLike<number>;
}
interface Situation {
  time: number;
  scan: Scan | null;
  speed: number | null;
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

function stoppingDistance(speed: number | null, limits: Limits, reaction: number): number {
  const start = Math.abs(speed ?? Number.NaN);
  if (Number.isNaN(start)) return stoppingDistance(limits.maxSpeed, limits, reaction);
  const brake = (v: number): number => (v * v) / limits.braking / 2;
  if (start >= limits.maxSpeed) return start * reaction + brake(start);
  const end = start + limits.maxAcceleration * reaction;
  if (end <= limits.maxSpeed) return start * reaction + (limits.maxAcceleration * reaction ** 2) / 2 + brake(end);
  const gained = (limits.maxSpeed ** 2 - start ** 2) / (2 * limits.maxAcceleration);
  return gained + limits.maxSpeed * (reaction - (limits.maxSpeed - start) / limits.maxAcceleration) + brake(limits.maxSpeed);
}

function freeWay(scan: Scan, radius: number, direction: 1 | -1): number {
  const ways = Array.from(scan.ranges, (range, i) => {
    if (Number.isNaN(range) || range === Infinity) return Infinity;
    if (range <= radius) return 0;
    const off = scan.angleMin + i * scan.angleIncrement + (direction < 0 ? Math.PI : 0);
    const aside = range * Math.abs(Math.sin(off));
    if (Math.cos(off) <= 0 || aside >= radius) return Infinity;
    return range * Math.cos(off) - radius * Math.cos(Math.asin(aside / radius));
  });
  return ways.length === 0 ? Infinity : Math.min(...ways);
}

class Monitor {
  latched: Reason | null = null;
  private last: Reason | "nothing yet" | null = "nothing yet";
  constructor(readonly guard: Guard) {}

  update({ time, scan, speed, heartbeat }: Situation): boolean {
    const { guard } = this;
    const good = (stamp: number | null | undefined): boolean => typeof stamp === "number" && Math.abs(stamp - time) <= guard.timeout;
    const holds = (): Reason | null => {
      if (scan === null || !good(scan.time)) return "scan";
      if (!good(heartbeat)) return "heartbeat";
      let seeing = 0;
      for (let i = 0; i < scan.ranges.length; i++) seeing += Number.isNaN(scan.ranges[i]) ? 0 : 1;
      if (seeing === 0 || seeing < 0.7 * scan.ranges.length) return "blind";
      const free = (direction: 1 | -1): number => freeWay(scan, guard.radius + guard.margin, direction);
      const ahead = speed !== null && speed < 0 ? Infinity : free(1);
      const behind = speed !== null && speed > 0 ? Infinity : free(-1);
      return Math.min(ahead, behind) < stoppingDistance(speed, guard.limits, guard.reaction) ? "obstacle" : null;
    };
    this.last = holds();
    if (this.latched === null) this.latched = this.last;
    return !this.latched;
  }

  reset(): boolean {
    if (this.last !== null) return false;
    this.latched = null;
    return true;
  }
}
