// A script as readers write one: it asks nobody who has started it, and says goodbye to nobody.
import { distributed, tensor } from "mlsys";

const group = await distributed.init();
const x = tensor([group.rank + 1, 2]);
const mean = await group.allReduce(x, { op: "mean" });
const ring = await group.allReduce(x, { op: "mean", algorithm: "ring" });
const last = group.subgroup([group.size - 1]);
const alone = last ? await last.allReduce(x) : null;
const who = await group.allGatherObject(process.env.RANK);
console.log(
  JSON.stringify([group.backend, mean.toArray(), ring.toArray(), alone?.toArray() ?? null, who.join()]),
);
