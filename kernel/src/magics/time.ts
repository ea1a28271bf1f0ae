import type { Magic } from "./magic.js";

export const time: Magic = {
  name: "time",
  usage: ["%time STATEMENT", "%%time"],
  summary: "runs the statement, or the cell, and tells how long it took",
  form: "both",
  takes: "code",
  around: ({ print }) => {
    const cpu = process.cpuUsage();
    const start = performance.now();
    return () => {
      const wall = performance.now() - start;
      const { user, system } = process.cpuUsage(cpu);
      print(
        `wall ${duration(wall)}, processor ${duration((user + system) / 1000)} (user ${duration(user / 1000)}, system ${duration(system / 1000)})\n`,
      );
    };
  },
};

const UNITS = [
  ["s", 1e3],
  ["ms", 1],
  ["µs", 1e-3],
  ["ns", 1e-6],
] as const;

/** Milliseconds with three digits, in the unit that fits. */
export function duration(ms: number): string {
  if (ms >= 60_000) return `${Math.floor(ms / 60_000)} min ${((ms % 60_000) / 1000).toFixed(1)} s`;
  const [unit, size] = UNITS.find(([, each]) => ms >= each) ?? UNITS[UNITS.length - 1]!;
  const value = ms / size;
  return `${value >= 100 ? value.toFixed(0) : value.toPrecision(3)} ${unit}`;
}
