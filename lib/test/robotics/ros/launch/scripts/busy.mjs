// Computes for ever; its process's number is in the file that it is given.
import { writeFileSync } from "node:fs";

writeFileSync(process.argv[2], String(process.pid));
for (;;);
