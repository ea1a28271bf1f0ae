/** Output of several processes in one stream: whole lines, each with its member's number in front. */

import type { Readable, Writable } from "node:stream";
import { StringDecoder } from "node:string_decoder";
import colors from "picocolors";

const PAINTS = [colors.cyan, colors.magenta, colors.yellow, colors.green, colors.blue, colors.red];

/** "[3] ", as wide as the largest of `size` members' and in a color of its own where there are colors. */
export const labelOf = (rank: number, size: number): string =>
  labelWith(String(rank).padStart(String(size - 1).length), rank);

/** "[text] ", in the color of this number. */
export const labelWith = (text: string, number: number): string =>
  `${PAINTS[number % PAINTS.length](`[${text}]`)} `;

/** Resolves when there is room for more: a slow reader slows the writer down, rather than fill the memory. */
export function writeLine(to: Writable, line: string): void | Promise<void> {
  if (!to.write(line)) return new Promise((resolve) => to.once("drain", resolve));
}

/** Longest line that is waited for; of longer ones a piece is written. */
const LONGEST = 1 << 16;

/** Writes the lines of `from` to `to`, and what is left when it ends. */
export function prefixLines(from: Readable, to: Writable, label: string): void {
  const decoder = new StringDecoder("utf8");
  let rest = "";
  const write = (text: string): void => {
    rest += text;
    const end = rest.length > LONGEST ? rest.length : rest.lastIndexOf("\n") + 1;
    if (end === 0) return;
    const lines = rest.slice(0, end).replace(/\n$/, "").split("\n");
    rest = rest.slice(end);
    if (!to.write(lines.map((line) => `${label}${line}\n`).join(""))) {
      from.pause(); // a slow reader slows the members down, rather than fill the memory
      to.once("drain", () => from.resume());
    }
  };
  from.on("data", (chunk: Buffer) => write(decoder.write(chunk)));
  from.on("end", () => {
    const last = rest + decoder.end();
    if (last !== "") to.write(`${label}${last}\n`);
  });
}
