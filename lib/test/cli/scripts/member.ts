// A script as readers write one: TypeScript, with another file beside it.
import { readFileSync, writeFileSync } from "node:fs";
import { type Task, wait } from "./tasks";
import { fail } from "./tasks.js";

const { RANK = "none", WORLD_SIZE, LOCAL_RANK, GROUP_RANK, MASTER_ADDR, MASTER_PORT } = process.env;
const [task, ...rest] = process.argv.slice(2) as [Task, ...string[]];

switch (task) {
  case "say":
    process.stdout.write(
      `${[WORLD_SIZE, LOCAL_RANK, GROUP_RANK, MASTER_ADDR, ...rest].join(" ")}\nno end of line`,
    );
    process.stderr.write(`port ${Number(MASTER_PORT) > 0}\n`);
    break;
  case "fail": // the last one to fail; the others wait for ever
    if (RANK === rest[0]) fail(3);
    wait();
    break;
  case "code":
    process.exitCode = 4;
    break;
  case "later": // once, and then all is well
    if (RANK === "0" && process.env.TORCHELASTIC_RESTART_COUNT === "0") process.exit(9);
    console.log(`restart ${process.env.TORCHELASTIC_RESTART_COUNT}`);
    break;
  case "busy": // says who it is, and computes for ever
    process.on("SIGTERM", () => {}); // and doesn't listen
    writeFileSync(`${rest[0]}/${RANK}.pid`, String(process.pid));
    console.log(readFileSync(`${rest[0]}/${RANK}.pid`, "utf8"));
    for (;;) Math.random();
}
