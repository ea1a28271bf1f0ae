/** Every kind, algorithm, dtype and operation against plain arithmetic. */
import { expect, test } from "vitest";
import { inProcess } from "../transport/in-process.js";
import { memberOf } from "./member.js";
import { runCollective } from "./registry.js";

test("the book's allReduce on three devices", async () => {
  const values = [
    [2, 4, 6],
    [1, 2, 3],
    [4, 8, 12],
  ].map((row) => Float32Array.from(row));
  await Promise.all(
    inProcess(3).map((transport, rank) =>
      runCollective("allReduce", memberOf(transport, 0), {
        data: new Uint8Array(values[rank].buffer),
        dtype: "float32",
        op: "sum",
      }),
    ),
  );
  for (const row of values) expect([...row]).toEqual([7, 14, 21]);
});
