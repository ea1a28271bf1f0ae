/**
 * Schedules as text, a primitive a line, as a reader writes them: `split k 4 -> kb ki`. Names behind `->` may be left out.
 * What is printed parses back to the same steps.
 */
import { LOOP_TYPES, LoopError, type LoopKind, type LoopType, type Scope } from "../loop/ir.js";
import type { Packing } from "./cache-read.js";
import type { Schedule, Step } from "./schedule.js";

/** Where copies lie; parameters are the caller's. */
const SCOPES: readonly Scope[] = ["shared", "workgroup", "local", "register"];
/** What a loop's kind is called as something to do. */
const KINDS: Readonly<Record<string, LoopKind>> = {
  unroll: "unrolled",
  vectorize: "vectorized",
  parallel: "parallel",
  serial: "serial",
  block: "block",
  thread: "thread",
};

/** The words of a line: before the arrow, behind it, and settings. */
interface Words {
  readonly words: readonly string[];
  readonly names: readonly string[];
  readonly settings: ReadonlyMap<string, string>;
}

/** How each primitive is written. */
const FORMS: Readonly<Record<string, string>> = {
  split: "split LOOP FACTOR [-> OUTER INNER]",
  tile: "tile LOOP LOOP FACTOR FACTOR",
  reorder: "reorder LOOP …",
  fuse: "fuse OUTER INNER [-> NAME]",
  merge: "merge FIRST SECOND …",
  skew: "skew OUTER INNER [FACTOR] [-> NAME]",
  pad: "pad LOOP [MULTIPLE]",
  guard: "guard LOOP …",
  unroll: "unroll LOOP …",
  vectorize: "vectorize LOOP …",
  parallel: "parallel LOOP …",
  serial: "serial LOOP …",
  block: "block LOOP …",
  thread: "thread LOOP …",
  cacheRead: "cacheRead BUFFER [at=LOOP] [scope=SCOPE] [pack=AXIS,BY] [room=N,…] [as=TYPE] -> NAME",
  cacheWrite: "cacheWrite BUFFER at=LOOP [scope=SCOPE] -> NAME",
  computeAt: "computeAt BUFFER at=LOOP [scope=SCOPE]",
  rfactor: "rfactor INNER OUTER -> NAME",
  cooperate: "cooperate LOOP … threads=N [lanes=N] -> NAME",
  treeReduce: "treeReduce LOOP -> NAME",
  localize: "localize BUFFER at=LOOP scope=SCOPE",
  layout: "layout BUFFER [split=AXIS,BY] [order=AXIS,…] [gap=N]",
  prefetch: "prefetch BUFFER at=LOOP [-> STAGE]",
};

/**
 * Applies each line of a text to a schedule; empty lines and what stands behind `#` are left out. Steps of the lines
 * before a wrong one stay applied.
 * @throws LoopError with the number of the line: for one that is no primitive, or that the kernel refuses.
 * @example
 * const s = schedule.applyText(new schedule.Schedule(loop.matmul(8, 8, 8)), "tile i j 4 4\nvectorize j_i");
 * s.steps.length // 4
 */
export function applyText(schedule: Schedule, text: string): Schedule {
  text.split("\n").forEach((line, i) => {
    const written = line.replace(/#.*/, "").trim();
    if (written === "") return;
    try {
      applyLine(schedule, written);
    } catch (error) {
      if (error instanceof LoopError) throw new LoopError(`line ${i + 1}: ${error.message}`);
      throw error;
    }
  });
  return schedule;
}

function applyLine(s: Schedule, line: string): void {
  const [verb] = line.split(/\s+/, 1);
  const form = FORMS[verb];
  const wrong: (why: string) => never = (why) => {
    throw new LoopError(`"${line}": ${why}`);
  };
  if (!form) wrong(`there is no primitive "${verb}"; there are ${Object.keys(FORMS).join(", ")}`);
  const { words, names, settings } = wordsOf(line.slice(verb.length));
  const known = [...form.matchAll(/(\w+)=/g)].map(([, name]) => name);
  for (const name of settings.keys()) if (!known.includes(name)) wrong(`expected ${form}`);
  const take = (least: number, most: number, named: readonly number[]): void => {
    if (words.length < least || words.length > most || !named.includes(names.length))
      wrong(`expected ${form}`);
  };
  const number = (word: string): number =>
    /^\d+$/.test(word) ? Number(word) : wrong(`${word} is no number`);
  const scope = (): Scope | undefined => {
    const name = settings.get("scope");
    return name === undefined
      ? undefined
      : (SCOPES.find((one) => one === name) ?? wrong(`the scope is one of ${SCOPES.join(", ")}`));
  };
  const pack = (): Packing | undefined => {
    const [axis, by] = settings.get("pack")?.split(",") ?? [];
    return axis === undefined ? undefined : { axis: number(axis), by: number(by ?? "") };
  };
  const room = () => settings.get("room")?.split(",").map(number);
  const type = (): LoopType | undefined => {
    const name = settings.get("as");
    return name === undefined
      ? undefined
      : (LOOP_TYPES.find((one) => one === name) ?? wrong(`the type is one of ${LOOP_TYPES.join(", ")}`));
  };
  const at = (): string => settings.get("at") ?? wrong(`expected ${form}`);
  const cache = () => {
    const options = { scope: scope(), pack: pack(), room: room(), as: type() };
    return { name: names[0], ...defined(options) };
  };
  if (verb in KINDS) {
    take(1, 99, [0]);
    for (const loop of words) s.apply({ do: "kind", loop, kind: KINDS[verb] });
  } else if (verb === "split") {
    take(2, 2, [0, 2]);
    s.split(words[0], number(words[1]), names.length === 2 ? [names[0], names[1]] : undefined);
  } else if (verb === "tile") {
    take(4, 4, [0]);
    s.tile(words[0], words[1], [number(words[2]), number(words[3])]);
  } else if (verb === "reorder") {
    take(1, 99, [0]);
    s.reorder(...words);
  } else if (verb === "fuse") {
    take(2, 2, [0, 1]);
    s.fuse(words[0], words[1], names[0]);
  } else if (verb === "merge") {
    take(2, 99, [0]);
    s.merge(words[0], ...words.slice(1));
  } else if (verb === "skew") {
    take(2, 3, [0, 1]);
    s.skew(words[0], words[1], number(words[2] ?? "1"), names[0]);
  } else if (verb === "pad") {
    take(1, 2, [0]);
    s.pad(words[0], words[1] === undefined ? undefined : number(words[1]));
  } else if (verb === "guard") {
    take(1, 99, [0]);
    for (const loop of words) s.guard(loop);
  } else if (verb === "cacheRead") {
    take(1, 1, [1]);
    s.cacheRead(words[0], settings.get("at") ?? null, cache());
  } else if (verb === "cacheWrite") {
    take(1, 1, [1]);
    s.cacheWrite(words[0], at(), cache());
  } else if (verb === "computeAt") {
    take(1, 1, [0]);
    s.computeAt(words[0], at(), scope());
  } else if (verb === "cooperate") {
    take(1, 99, [1]);
    s.cooperate(words, names[0], number(settings.get("threads") ?? ""), number(settings.get("lanes") ?? "1"));
  } else if (verb === "treeReduce") {
    take(1, 1, [1]);
    s.treeReduce(words[0], names[0]);
  } else if (verb === "localize") {
    take(1, 1, [0]);
    s.localize(words[0], at(), scope() ?? wrong(`expected ${form}`));
  } else if (verb === "layout") {
    take(1, 1, [0]);
    const [axis, by] = settings.get("split")?.split(",") ?? [];
    const split = axis === undefined ? undefined : ([number(axis), number(by ?? "")] as const);
    const gap = settings.get("gap");
    const order = settings.get("order")?.split(",").map(number);
    s.layout(words[0], defined({ split, order, gap: gap === undefined ? undefined : number(gap) }));
  } else if (verb === "prefetch") {
    take(1, 1, [0, 1]);
    s.prefetch(words[0], at(), names[0]);
  } else {
    take(2, 2, [1]);
    s.rfactor(words[0], words[1], names[0]);
  }
}

const defined = <T extends object>(fields: T): Partial<T> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<T>;

function wordsOf(rest: string): Words {
  const [before, behind = ""] = rest.split("->");
  const split = (text: string): string[] => text.split(/[\s]+/).filter((word) => word !== "");
  const words: string[] = [];
  const settings = new Map<string, string>();
  for (const word of split(before)) {
    const [name, value] = word.split("=");
    if (value === undefined) words.push(word);
    else settings.set(name, value);
  }
  return { words, names: split(behind), settings };
}

/**
 * The steps as text: what `applyText` reads.
 * @example
 * const s = new schedule.Schedule(loop.matmul(8, 8, 8));
 * s.split("k", 4);
 * schedule.scheduleText(s.steps) // "split k 4 -> k_o k_i"
 */
export function scheduleText(steps: readonly Step[]): string {
  return steps.map(lineOf).join("\n");
}

function lineOf(step: Step): string {
  switch (step.do) {
    case "split":
      return `split ${step.loop} ${step.factor} -> ${step.names.join(" ")}`;
    case "reorder":
      return `reorder ${step.loops.join(" ")}`;
    case "fuse":
      return `fuse ${step.loops.join(" ")} -> ${step.name}`;
    case "merge":
      return `merge ${step.loops.join(" ")}`;
    case "skew":
      return `skew ${step.loops.join(" ")} ${step.factor} -> ${step.name}`;
    case "pad":
      return `pad ${step.loop}${step.multiple === undefined ? "" : ` ${step.multiple}`}`;
    case "guard":
      return `guard ${step.loop}`;
    case "kind":
      return `${Object.keys(KINDS).find((verb) => KINDS[verb] === step.kind)} ${step.loop}`;
    case "cacheRead":
    case "cacheWrite": {
      const { name, scope, pack, room, as } = step.options;
      const settings = [
        step.at === null ? "" : ` at=${step.at}`,
        scope ? ` scope=${scope}` : "",
        pack ? ` pack=${pack.axis},${pack.by}` : "",
        room ? ` room=${room.join(",")}` : "",
        as ? ` as=${as}` : "",
      ];
      return `${step.do} ${step.buffer}${settings.join("")} -> ${name}`;
    }
    case "computeAt":
      return `computeAt ${step.buffer} at=${step.at} scope=${step.scope}`;
    case "rfactor":
      return `rfactor ${step.loops.join(" ")} -> ${step.name}`;
    case "treeReduce":
      return `treeReduce ${step.loop} -> ${step.name}`;
    case "localize":
      return `localize ${step.buffer} at=${step.at} scope=${step.scope}`;
    case "layout": {
      const { split, order, gap } = step.options;
      return `layout ${step.buffer}${split ? ` split=${split.join(",")}` : ""}${order ? ` order=${order.join(",")}` : ""}${gap === undefined ? "" : ` gap=${gap}`}`;
    }
    case "prefetch":
      return `prefetch ${step.buffer} at=${step.at}${step.stage === undefined ? "" : ` -> ${step.stage}`}`;
  }
}
