/** What every process group must do, over all that this machine can talk by. */
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import { library } from "../support/built-library.js";
import { MPIRUN, mpirun } from "../support/distributed/mpirun.js";
import { endProcesses, startJob } from "../support/distributed/processes.js";

const support = new URL("../support/distributed/", import.meta.url);
const suite = new URL("conformance.mjs", support).href;
const member = fileURLToPath(new URL("conformance-member.mjs", support));

afterEach(endProcesses);

interface Report {
  readonly rank: number;
  readonly backend: string;
  readonly failures: Record<string, string>;
}

/** How each transport runs the suite on `size` members. Another one is a line here. */
const TRANSPORTS: Record<string, { readonly there: boolean; run(size: number): Promise<Report[]> }> = {
  threads: {
    there: true,
    run: (size) =>
      library.distributed.launch(
        size,
        async (group, url: string) => {
          const mlsys = await import("mlsys");
          const { check } = (await import(url)) as {
            check(group: unknown, mlsys: unknown): Promise<Report["failures"]>;
          };
          return { rank: group.rank, backend: group.backend, failures: await check(group, mlsys) };
        },
        { args: [suite], timeout: 60_000 },
      ),
  },
  tcp: {
    there: true,
    async run(size) {
      const members = await startJob(size, [member]);
      return reportsOf(await Promise.all(members.map(({ ended }) => ended)));
    },
  },
  mpi: {
    there: MPIRUN !== null,
    async run(size) {
      const { code, out, err } = await mpirun(size, [member], { MLSYS_NUM_THREADS: "1" });
      const own = err.split("\n").filter((line) => !/^MPI Error|NBC_|^$/.test(line)); // what MPI itself says of members that don't agree
      return reportsOf([{ code, out, err: own.join("\n") }]);
    },
  },
};

function reportsOf(
  ends: readonly { readonly code: number | null; readonly out: string; readonly err: string }[],
): Report[] {
  for (const { code, err } of ends) expect({ code, err }).toEqual({ code: 0, err: "" });
  return ends.flatMap(({ out }) =>
    out
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line) as Report),
  );
}

describe.each(Object.keys(TRANSPORTS))("process groups over %s", (name) => {
  const { there, run } = TRANSPORTS[name];

  it.skipIf(!there).each([1, 3])("do what they must, between %i members", async (size) => {
    const reports = await run(size);
    expect(reports.map(({ rank }) => rank).sort()).toEqual(Array.from({ length: size }, (_, i) => i));
    for (const { rank, backend, failures } of reports)
      expect({ rank, backend, failures }).toEqual({ rank, backend: name, failures: {} });
  });
});
