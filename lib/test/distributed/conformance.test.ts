/** What every process group must do, over all that this machine can talk by. */
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import { MPIRUN, mpirun } from "../support/distributed/mpirun.js";
import { endProcesses, start, startJob } from "../support/distributed/processes.js";

const support = new URL("../support/distributed/", import.meta.url);
const launcher = fileURLToPath(new URL("conformance-launch.mjs", support));
const member = fileURLToPath(new URL("conformance-member.mjs", support));

afterEach(endProcesses);

interface Report {
  readonly rank: number;
  readonly backend: string;
  readonly failures: Record<string, string>;
}

/** How each transport runs the suite on `size` members. Another one is a line here. */
const TRANSPORTS: Record<
  string,
  { readonly there: boolean; readonly sizes: readonly number[]; run(size: number): Promise<Report[]> }
> = {
  threads: {
    there: true,
    sizes: [1, 3],
    run: async (size) => reportsOf([await start([launcher, String(size)]).ended]),
  },
  tcp: {
    there: true,
    sizes: [3],
    async run(size) {
      const members = await startJob(size, [member]);
      return reportsOf(await Promise.all(members.map(({ ended }) => ended)));
    },
  },
  mpi: {
    there: MPIRUN !== null,
    sizes: [3],
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
  const { there, sizes, run } = TRANSPORTS[name];

  it.skipIf(!there).each(sizes)("do what they must, between %i members", async (size) => {
    const reports = await run(size);
    expect(reports.map(({ rank }) => rank).sort()).toEqual(Array.from({ length: size }, (_, i) => i));
    expect(reports).toEqual(reports.map(({ rank }) => ({ rank, backend: name, failures: {} })));
  });
});
