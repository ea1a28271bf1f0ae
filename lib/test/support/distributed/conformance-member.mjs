// A member of a job that a launcher has started: does what the conformance suite says, and prints what went wrong as JSON.
import { check } from "./conformance.mjs";

const mlsys = await import(new URL("../../../dist/index.js", import.meta.url).href);
const group = await mlsys.distributed.init({ timeout: 60_000 });
const failures = await check(group, mlsys);
await group.close();
process.stdout.write(`${JSON.stringify({ rank: group.rank, backend: group.backend, failures })}\n`);
