/** Functions on the columns of records. */
import { ValueError } from "../../core/errors.js";
import { madeBy } from "./node.js";

type Row = Record<string, unknown>;

/** The columns of these names. */
export const projector = (names: readonly string[]): ((item: unknown) => Row) =>
  madeBy((item: unknown) => Object.fromEntries(names.map((name) => [name, columnOf(item, name)])), {
    module: import.meta.url,
    name: "projector",
    args: [names],
  });

/** All columns, some under another name. */
export const renamer = (names: Readonly<Record<string, string>>): ((item: unknown) => Row) =>
  madeBy(
    (item: unknown) => {
      for (const name of Object.keys(names)) columnOf(item, name);
      return Object.fromEntries(Object.entries(item as Row).map(([key, x]) => [names[key] ?? key, x]));
    },
    { module: import.meta.url, name: "renamer", args: [names] },
  );

function columnOf(item: unknown, name: string): unknown {
  if (typeof item === "object" && item !== null && name in item) return (item as Row)[name];
  const has = typeof item === "object" && item !== null ? Object.keys(item).join(", ") : typeof item;
  throw new ValueError(`there is no column ${name}; there is ${has}`);
}
