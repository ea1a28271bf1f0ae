/** Loaded into every process and thread of a kernel: on demand it collects garbage and writes what is left, in bytes. */
const { statSync, writeFileSync } = require("node:fs");
const { join } = require("node:path");
const v8 = require("node:v8");
const { isMainThread, threadId } = require("node:worker_threads");
const vm = require("node:vm");

const directory = process.env.MEMORY_PROBE;
// Taken now: cells are not to see the timer, nor the timer to belong to a cell.
const collect = () => {
  v8.setFlagsFromString("--expose-gc");
  return vm.runInNewContext("gc");
};
let answered = 0;
setInterval(() => {
  const asked = statSync(join(directory, "ask"), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  if (asked === answered) return;
  answered = asked;
  const gc = collect();
  gc();
  gc();
  const { heapUsed, external, rss } = process.memoryUsage();
  const name = `${process.pid}${isMainThread ? "" : `.${threadId}`}`;
  writeFileSync(join(directory, `${name}.json`), JSON.stringify({ asked, heapUsed, external, rss }));
}, 200).unref();
