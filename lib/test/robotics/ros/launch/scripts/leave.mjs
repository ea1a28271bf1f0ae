// Leaves a process in a session of its own, that holds its output open.
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";

const child = spawn("sleep", ["100000"], { detached: true, stdio: ["ignore", "inherit", "inherit"] });
writeFileSync(process.argv[2], String(child.pid));
console.log("left it");
child.unref();
