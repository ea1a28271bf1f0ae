// The text of COVERAGE.md from the names (names.mjs) and what the peers export (peers.json). Throws where a name is wrong.
import { readFileSync } from "node:fs";
import { markdownTable } from "../markdown.mjs";
import { FAMILIES, LACKING } from "./names.mjs";

export const peers = JSON.parse(readFileSync(new URL("peers.json", import.meta.url), "utf8"));

/** Names that are there but are no attributes of a module: methods of syntax, modules of their own. */
const OTHERWISE = {
  tfjs: [],
  "jax-js": ["array"],
  PyTorch: ["Tensor.__getitem__", "utils.checkpoint", "autograd.Function", "compile"],
};

const PEERS = Object.keys(peers);
const known = Object.fromEntries(
  PEERS.map((peer) => [
    peer,
    new Set([
      ...OTHERWISE[peer],
      ...Object.entries(peers[peer].names).flatMap(([space, names]) => [
        ...names,
        ...names.map((name) => `${space}.${name}`),
      ]),
    ]),
  ]),
);

/** Ours whose name means something else there: tensors are split, elements are clipped, weights are constant. */
const HOMONYMS = new Set(["random.split", "optim.clipByValue", "optim.constant"]);

const snake = (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** The peer's name of a cell; `null` for none. @throws if the peer has no such name, or has ours where "–" is written */
function nameOf(peer, ours, cell) {
  const plain = ours.split(".").at(-1);
  const same = [plain, ...(peer === "PyTorch" ? [snake(plain)] : [])].filter((name) => known[peer].has(name));
  if (cell === "–" && same.length > 0 && !HOMONYMS.has(ours))
    throw new Error(`names.mjs: ${peer} has "${same[0]}", but the row of ${ours} says "–"`);
  if (cell === "–") return null;
  const name = cell === "=" ? same.at(-1) : cell;
  if (!name || !known[peer].has(name))
    throw new Error(
      `names.mjs: ${peer} has no "${cell === "=" ? plain : cell}", which the row of ${ours} names`,
    );
  return name;
}

/** Rows by family: our name, and the peers' by peer. */
export function rows() {
  return Object.entries(FAMILIES).flatMap(([family, text]) =>
    text
      .trim()
      .split("\n")
      .map((line) => {
        const [ours, ...cells] = line.split("|").map((cell) => cell.trim());
        if (cells.length !== PEERS.length)
          throw new Error(`names.mjs: "${line}" wants a cell for each of ${PEERS.join(", ")}`);
        return { family, ours, theirs: cells.map((cell, i) => nameOf(PEERS[i], ours, cell)) };
      }),
  );
}

function lacking() {
  for (const [peer, families] of Object.entries(LACKING))
    for (const [family, names] of Object.entries(families))
      for (const name of names.split(" "))
        if (!known[peer].has(name))
          throw new Error(`names.mjs: ${peer} has no "${name}", which LACKING names under ${family}`);
  return LACKING;
}

const code = (name) => (name === null ? "–" : `\`${name}\``);

/** Family by family: how many names, and how many of them each peer has. */
export function summary() {
  const all = rows();
  const families = [...new Set(all.map((row) => row.family))];
  const count = (some, i) => some.filter((row) => row.theirs[i] !== null).length;
  const counts = (title, some) => [title, some.length, ...PEERS.map((_, i) => count(some, i))];
  const of = (family) => all.filter((row) => row.family === family);
  const head = ["", "mlsys", ...PEERS.map((peer) => `${peer} ${peers[peer].version}`)];
  const lines = [...families.map((family) => counts(family, of(family))), counts("**all**", all)];
  return markdownTable(
    [head, ...lines],
    head.map((_, i) => i > 0),
  );
}

export function coverageMarkdown() {
  const all = rows();
  const families = [...new Set(all.map((row) => row.family))];
  const tables = families.map((family) => {
    const lines = all
      .filter((row) => row.family === family)
      .map((row) => [row.ours, ...row.theirs].map(code));
    return `### ${family}\n\n${markdownTable([["mlsys", ...PEERS], ...lines], [])}`;
  });
  const lists = Object.entries(lacking()).map(([peer, byFamily]) => {
    const items = Object.entries(byFamily).map(
      ([family, names]) => `- ${family}: ${names.split(" ").map(code).join(", ")}`,
    );
    return `### ${peer}\n\n${items.join("\n")}`;
  });
  return `# What mlsys has beside tfjs, jax-js and PyTorch

Made by \`npm run coverage\`. The peers' names are read from the peers themselves (\`bench/peers/peers.json\`:
${PEERS.map((peer) => `${peer} ${peers[peer].version}`).join(", ")}); which of them stands for which of ours is written by hand
(\`bench/peers/names.mjs\`). "–": the peer has no function or class of its own for it. A peer may do it in several steps, and the
same name does not say that all options are there. jax-js keeps layers and optimizers outside its package.

${summary()}

${tables.join("\n\n")}

## What they have that mlsys lacks

The parts of their lists that a reader of these tables would look for; names of their inner working and second names are left out.

${lists.join("\n\n")}
`;
}
