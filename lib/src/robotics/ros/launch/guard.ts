/**
 * Runs a program that knows nothing of its launcher (`guard.js FD PROGRAM …`), and ends it when the launcher is gone,
 * however that ended: file descriptor FD is a pipe that it holds. Signals go to the process group, the program included.
 */
import { spawn } from "node:child_process";
import { Socket } from "node:net";

/** Milliseconds that the program has for its own end. */
const GRACE = 2_000;

const [descriptor, program, ...args] = process.argv.slice(2);
const child = spawn(program, args, { stdio: ["ignore", "inherit", "inherit"] });
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, () => {}); // theirs is the program
child.on("error", (error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(127);
});
child.on("exit", (code, signal) => {
  if (signal) {
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  } else process.exit(code ?? 1);
});

const pipe = new Socket({ fd: Number(descriptor), readable: true, writable: false });
pipe.on("error", () => {});
pipe.on("close", () => {
  toAll("SIGTERM");
  setTimeout(() => toAll("SIGKILL"), GRACE);
});
pipe.resume();
pipe.unref();

function toAll(name: NodeJS.Signals): void {
  try {
    process.kill(-process.pid, name);
  } catch {
    child.kill(name); // it leads no group
  }
}
