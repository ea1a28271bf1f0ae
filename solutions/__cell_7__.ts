/** What a stage does, in order. */
function gpipe(stages: number, micro: number, stage: number): string[] {
  // BEGIN SOLUTION
  const all = Array.from({ length: micro }, (_, m) => m);
  return [...all.map((m) => `F${m}`), ...all.reverse().map((m) => `B${m}`)];
  // END SOLUTION
}

/** What a stage does, in order. */
function oneFOneB(stages: number, micro: number, stage: number): string[] {
  // BEGIN SOLUTION
  const first = Math.min(stages - 1 - stage, micro);
  const out: string[] = [];
  for (let m = 0; m < first; m++) out.push(`F${m}`);
  for (let m = first; m < micro; m++) out.push(`F${m}`, `B${m - first}`);
  for (let m = micro - first; m < micro; m++) out.push(`B${m}`);
  return out;
  // END SOLUTION
}

/** When each thing ends. */
function timeline(lists: string[][], forward: number[], backward: number[]): number[][] {
  // BEGIN SOLUTION
  const ends: number[][] = lists.map(() => []);
  const known = new Map<string, number>();
  for (let left = lists.reduce((sum, list) => sum + list.length, 0); left > 0; ) {
    const before = left;
    for (const [s, list] of lists.entries())
      while (ends[s].length < list.length) {
        const pass = list[ends[s].length];
        const needs: string[] = [];
        if (pass[0] === "F" && s > 0) needs.push(`${s - 1} ${pass}`);
        if (pass[0] === "B") needs.push(`${s} F${pass.slice(1)}`);
        if (pass[0] === "B" && s < lists.length - 1) needs.push(`${s + 1} ${pass}`);
        if (needs.some((need) => !known.has(need))) break;
        const begin = Math.max(0, ends[s].at(-1) ?? 0, ...needs.map((need) => known.get(need) as number));
        const end = begin + (pass[0] === "F" ? forward : backward)[s];
        ends[s].push(end);
        known.set(`${s} ${pass}`, end);
        left--;
      }
    if (left === before) throw new Error("deadlock: every stage waits for another one");
  }
  return ends;
  // END SOLUTION
}

/** Part of the time that devices do nothing. */
function bubble(lists: string[][], forward: number[], backward: number[]): number {
  // BEGIN SOLUTION
  const last = Math.max(...timeline(lists, forward, backward).flat());
  const busy = lists.reduce((sum, list, s) => sum + list.reduce((own, pass) => own + (pass[0] === "F" ? forward : backward)[s], 0), 0);
  return 1 - busy / (last * lists.length);
  // END SOLUTION
}

/** The most micro-batches that a stage holds at once. */
function alive(list: string[]): number {
  // BEGIN SOLUTION
  let [now, most] = [0, 0];
  for (const pass of list) {
    now += pass[0] === "F" ? 1 : -1;
    most = Math.max(most, now);
  }
  return most;
  // END SOLUTION
}
export { gpipe, oneFOneB, timeline, bubble, alive };
