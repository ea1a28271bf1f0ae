// Ends with the exit code that it is given; "wait FOLDER NAME" stays, ignoring the signals named after it.
import { writeFileSync } from "node:fs";
import { join } from "node:path";

const [what, folder, name, ...ignored] = process.argv.slice(2);
if (what === "wait") {
  for (const signal of ignored)
    if (signal.startsWith("SIG")) process.on(signal, () => console.log(`got ${signal}`));
  setInterval(() => {}, 1_000_000);
  writeFileSync(join(folder, `${name}.pid`), String(process.pid));
} else process.exitCode = Number(what);
