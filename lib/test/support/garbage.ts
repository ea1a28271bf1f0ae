/** The garbage collector, for tests of memory that it gives back. */
import { setTimeout as sleep } from "node:timers/promises";
import v8 from "node:v8";
import vm from "node:vm";
import { heapStats } from "../../src/index.js";

v8.setFlagsFromString("--expose-gc");
const collectGarbage = vm.runInNewContext("gc") as () => void;

/**
 * Collects until no storage has been given back for three rounds. One round is not enough: finalizers run some turns later, and
 * a compilation on V8's own thread holds what its function reaches until it ends.
 */
export async function settle(): Promise<void> {
  for (let last = -1, same = 0; same < 3; ) {
    collectGarbage();
    await sleep(5);
    const now = heapStats().liveStorages;
    same = now === last ? same + 1 : 0;
    last = now;
  }
}
