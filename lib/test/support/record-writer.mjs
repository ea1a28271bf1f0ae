// Writes records until it is killed, and says on its output how many are safe. Run by the test of crashes.
import { data } from "../../dist/index.js";

const [path, groupRows] = process.argv.slice(2);
const out = data.recordWriter(
  path,
  { id: "int32", body: "bytes" },
  { append: true, groupRows: Number(groupRows), sync: "group" },
);
process.stdout.write(`start ${out.length}\n`);
const start = out.length;
for (let i = start; ; i++) {
  out.write({ id: i, body: new Uint8Array(1 + ((i * 7919) % 3000)).fill(i % 251) });
  if ((out.length - start) % Number(groupRows) === 0) process.stdout.write(`safe ${out.length}\n`);
}
