/** The thread that watches the pipe to the launcher: it ends when the launcher does, however it ended. */
import { Socket } from "node:net";
import { workerData } from "node:worker_threads";

/** Milliseconds that the process has for its own end. */
const GRACE = 2_000;

const pipe = new Socket({ fd: workerData as number, readable: true, writable: false });
pipe.on("error", () => {});
pipe.on("close", () => {
  signal("SIGTERM");
  setTimeout(() => signal("SIGKILL"), GRACE);
});
pipe.resume();

/** To this process, and to those that it started. */
function signal(name: NodeJS.Signals): void {
  try {
    process.kill(process.platform === "win32" ? process.pid : -process.pid, name);
  } catch {
    process.kill(process.pid, name); // it leads no group
  }
}
