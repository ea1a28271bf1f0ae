/** The entry of processes that `mlsys launch` starts for scripts with nodes: script and its arguments follow. */
import { watchLauncher } from "../run/member.js";
import { runNodes } from "./nodes.js";

watchLauncher();
const [script, ...args] = process.argv.slice(2);
await runNodes(script, args);
