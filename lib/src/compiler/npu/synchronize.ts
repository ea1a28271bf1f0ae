/** Tokens from what instructions touch: units then run ahead of each other as far as the memories allow. */
import { type NpuConfig, UNITS } from "./config.js";
import { type Instruction, unitOf } from "./isa.js";
import { regionsOf, type Stationary } from "./regions.js";
import { Shadows } from "./shadow.js";

/**
 * The same instructions with the fewest tokens with which they do what they would do one after the other: an instruction waits
 * where it touches rows that an earlier one of another unit wrote, or writes rows that one read, unless an earlier token says
 * so already.
 * @example synchronize(npuConfig("teaching-4x4"), assemble("fill mem=acc row=0 lanes=4\nstore type=int32 row=0 lanes=4 dram=0"))[1].wait // ["load"]
 */
export function synchronize(config: NpuConfig, program: readonly Instruction[]): Instruction[] {
  const shadows = new Shadows(config, program, 4);
  const out = program.map((i): Instruction => ({ ...i, wait: [], post: [] }));
  const waits: number[][] = program.map(() => []);
  const posts: number[][] = program.map(() => []);
  const queues: number[][] = UNITS.map(() => []);
  /** How far each unit is known to have come, for each unit; and behind each instruction. */
  const known = UNITS.map(() => new Int32Array(UNITS.length));
  const after: Int32Array[] = [];
  let held: Stationary | null = null;
  program.forEach((i, at) => {
    const unit = UNITS.indexOf(unitOf(i));
    const place = queues[unit].length;
    const needs = new Int32Array(UNITS.length);
    const meet = (u: number, p: number): void => {
      needs[u] = Math.max(needs[u], p + 1);
    };
    for (const region of regionsOf(config, i, held)) shadows.touchRegion(region, unit, place, meet);
    if (i.op === "load" || i.op === "store") shadows.touchOutside(i, unit, place, meet);
    if (i.op === "preload") held = { rows: i.rows, columns: i.columns };
    const mine = known[unit];
    const open = [0, 1, 2, 3].filter((u) => needs[u] > mine[u]);
    const sender = (u: number): number => queues[u][needs[u] - 1];
    for (const u of open) {
      // Another unit that is waited for has itself waited for this one.
      if (open.some((v) => v !== u && after[sender(v)][u] >= needs[u])) continue;
      const from = sender(u);
      waits[at].push(u);
      posts[from].push(unit);
      for (let v = 0; v < UNITS.length; v++) mine[v] = Math.max(mine[v], after[from][v]);
    }
    mine[unit] = place + 1;
    after.push(mine.slice());
    queues[unit].push(at);
  });
  const named = (list: readonly number[]) => UNITS.filter((_, u) => list.includes(u));
  return out.map((i, at) => {
    const { wait: _, post: __, ...bare } = i;
    return {
      ...bare,
      ...(waits[at].length > 0 ? { wait: named(waits[at]) } : {}),
      ...(posts[at].length > 0 ? { post: named(posts[at]) } : {}),
    } as Instruction;
  });
}
