// expect: correct
// why: begins from zero and moves ends until nothing changes
function gpipe(stages: number, micro: number, stage: number): string[] {
  const out: string[] = [];
  for (let m = 0; m < micro; m++) out.push("F" + m);
  for (let m = micro; m-- > 0; ) out.push("B" + m);
  return out;
}

function oneFOneB(stages: number, micro: number, stage: number): string[] {
  const out: string[] = [];
  let [f, b] = [0, 0];
  while (b < micro) {
    if (f < micro && f - b < stages - stage) out.push("F" + f++);
    else out.push("B" + b++);
  }
  return out;
}

function timeline(lists: string[][], forward: number[], backward: number[]): number[][] {
  const count = lists.flat().length;
  let ends = lists.map((list) => list.map(() => 0));
  for (let round = 0; ; round++) {
    const end = (s: number, pass: string): number => (lists[s] === undefined ? 0 : lists[s].includes(pass) ? ends[s][lists[s].indexOf(pass)] : Infinity);
    const next = lists.map((list, s) =>
      list.map((pass, k) => {
        const before = k === 0 ? 0 : ends[s][k - 1];
        const other = pass.startsWith("F") ? end(s - 1, pass) : Math.max(end(s + 1, pass), end(s, "F" + pass.slice(1)));
        return Math.max(before, other) + (pass.startsWith("F") ? forward[s] : backward[s]);
      }),
    );
    if (JSON.stringify(next) === JSON.stringify(ends)) return next;
    if (round > 2 * count + 2) throw new Error("deadlock");
    ends = next;
  }
}

function bubble(lists: string[][], forward: number[], backward: number[]): number {
  const ends = timeline(lists, forward, backward);
  const total = Math.max(...ends.map((e) => Math.max(...e)));
  let idle = 0;
  for (const [s, list] of lists.entries()) {
    idle += total;
    for (const pass of list) idle -= pass.startsWith("F") ? forward[s] : backward[s];
  }
  return idle / total / lists.length;
}

function alive(list: string[]): number {
  const held = new Set<string>();
  return Math.max(...list.map((pass) => {
    if (pass[0] === "F") held.add(pass.slice(1));
    const size = held.size;
    if (pass[0] === "B") held.delete(pass.slice(1));
    return size;
  }));
}
