// expect: correct
// why: a stack of finished steps; each new step is joined to its top as long as that goes
function optimize(program: Step[]): Step[] {
  const plain = (step: Step): boolean => step.op === "call" && step.parallel === undefined;
  const isFilter = ({ name }: Applied): boolean => FUNCTIONS[name].kind === "filter";
  const join = (steps: Step[]): Step[] => {
    const done: Step[] = [];
    for (const step of steps) {
      const top = done.at(-1);
      if (top && plain(top) && plain(step) && top.op === "call" && step.op === "call") {
        const bad = top.fns.some(isFilter) && step.fns.some(({ name }) => FUNCTIONS[name].counts === true);
        if (!bad) {
          done[done.length - 1] = { op: "call", fns: top.fns.concat(step.fns) };
          continue;
        }
      }
      done.push(step);
    }
    return done;
  };
  let now = join(program);
  for (let i = 0; i + 1 < now.length; ) {
    const [a, b] = [now[i], now[i + 1]];
    if (a.op === "call" && b.op === "batch" && !a.fns.some((fn) => fn.each === true || isFilter(fn))) {
      now[i] = b;
      now[i + 1] = { ...a, fns: a.fns.map(({ name }) => ({ name, each: true })) };
      now = join(now);
      i = 0;
    } else i++;
  }
  return now;
}
