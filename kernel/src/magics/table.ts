/** The magics. A new one is a file beside this and a line here. */
import { bash } from "./bash.js";
import { cd } from "./cd.js";
import { env } from "./env.js";
import { install } from "./install.js";
import { js } from "./js.js";
import { load } from "./load.js";
import { type Magic, UsageError } from "./magic.js";
import { prof } from "./prof.js";
import { reset } from "./reset.js";
import { shell } from "./shell.js";
import { submit } from "./submit.js";
import { time } from "./time.js";
import { timeit } from "./timeit.js";
import { typecheck } from "./typecheck.js";
import { who } from "./who.js";

const help: Magic = {
  name: "help",
  usage: ["%help", "%help NAME"],
  summary: "shows the magics, or one of them",
  form: "line",
  run: ({ args, show }) => {
    const text =
      args === "" ? MAGICS.map(helpText).join("\n") : helpText(magicNamed(args.replace(/^%+/, "")));
    show({ "text/plain": text });
  },
};

export const MAGICS: readonly Magic[] = [
  help,
  who,
  reset,
  time,
  timeit,
  prof,
  shell,
  bash,
  js,
  cd,
  env,
  load,
  install,
  submit,
  typecheck,
];

/** @throws UsageError that names what is nearest. */
export function magicNamed(name: string): Magic {
  const found = MAGICS.find((magic) => magic.name === name);
  if (found) return found;
  const [nearest] = MAGICS.filter((magic) => /^\w/.test(magic.name) && distance(magic.name, name) <= 2).sort(
    (a, b) => distance(a.name, name) - distance(b.name, name),
  );
  const hint = nearest ? ` Did you mean ${prefixed(nearest)}?` : "";
  throw new UsageError(`There is no magic %${name}.${hint} %help lists them.`);
}

/** The name with its `%` or `%%`. */
export function prefixed(magic: Magic): string {
  if (magic.name === "!") return "!";
  return (magic.form === "cell" ? "%%" : "%") + magic.name;
}

export function helpText({ usage, summary }: Magic): string {
  return `${usage.join(", ")}\n    ${summary}`;
}

/** Levenshtein's distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next[j] = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1));
    row = next;
  }
  return row[b.length]!;
}
