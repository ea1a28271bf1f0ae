// Robotics: messages beside rclpy's on the same middleware. Run by `npm run bench -- robotics`.
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Each part exports `rows({ quick })`, which gives { rows, missing, notes }. */
const PARTS = ["ros-messages"];

async function partRows(part, quick) {
  const file = new URL(`robotics/${part}.mjs`, import.meta.url);
  if (!existsSync(fileURLToPath(file)))
    return { rows: [], missing: { [part]: "there is no such benchmark yet" }, notes: [] };
  const { rows } = await import(file.href);
  console.log(`measuring ${part}`);
  return rows({ quick });
}

export async function run({ quick }) {
  const found = [];
  for (const part of PARTS) found.push(await partRows(part, quick));
  return {
    rows: found.flatMap(({ rows }) => rows),
    missing: Object.assign({}, ...found.map(({ missing }) => missing)),
    notes: found.flatMap(({ notes }) => notes),
  };
}
