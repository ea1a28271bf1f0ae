/** The entry of processes that `mlsys run` starts: script and its arguments follow. */
import { runScript, watchLauncher } from "./member.js";

watchLauncher();
const [script, ...args] = process.argv.slice(2);
await runScript(script, args);
