/** NCCL on a recording fake: what it is asked for, in which order, and that communicators are given back. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { libraryCandidates } from "../../src/runtime/cuda/find.js";
import { checkedNccl, NCCL, NcclCommunicator, ncclVersion, uniqueId } from "../../src/runtime/cuda/nccl.js";
import { bindLibrary } from "../../src/runtime/cuda/table.js";
import { toolchain } from "../../src/runtime/native/toolchain.js";
import { Recording } from "../support/cuda/recording.js";

const STREAM = 9;
const from = { address: 256, count: 12, type: "bfloat16" } as const;

function communicator(answers = {}) {
  const fake = new Recording(NCCL, answers);
  const api = checkedNccl(fake.raw);
  return { fake, api, comm: new NcclCommunicator(api, uniqueId(api), 1, 4, STREAM) };
}

describe("NCCL", () => {
  it("is asked for each collective with its counts, types and operators, on the stream", () => {
    const { fake, comm } = communicator();
    const handle = [...fake.alive.keys()][0];
    comm.allReduce(from, 512, "mean");
    comm.reduce(from, 512, "max", 2);
    comm.broadcast(from, 512, 3);
    comm.allGather(from, 512);
    comm.reduceScatter(from, 512, "product");
    comm.together(() => {
      comm.send(from, 0);
      comm.receive({ address: 1024, count: 7, type: "uint8" }, 2);
    });
    expect(fake.calls.slice(2).map(({ name, args }) => [name, ...args])).toEqual([
      ["ncclAllReduce", 256, 512, 12, 9, 4, handle, STREAM],
      ["ncclReduce", 256, 512, 12, 9, 2, 2, handle, STREAM],
      ["ncclBroadcast", 256, 512, 12, 9, 3, handle, STREAM],
      ["ncclAllGather", 256, 512, 12, 9, handle, STREAM],
      ["ncclReduceScatter", 256, 512, 3, 9, 1, handle, STREAM],
      ["ncclGroupStart"],
      ["ncclSend", 256, 12, 9, 0, handle, STREAM],
      ["ncclRecv", 1024, 7, 1, 2, handle, STREAM],
      ["ncclGroupEnd"],
    ]);
    comm[Symbol.dispose]();
    expect(fake.alive.size).toBe(0);
    expect(fake.calls.slice(-2).map(({ name }) => name)).toEqual(["ncclCommFinalize", "ncclCommDestroy"]);
  });

  it("tells of errors by their names, also of those that come later, and closes groups", () => {
    expect(() => communicator({ ncclCommInitRank: () => 5 })).toThrow(
      /ncclCommInitRank failed with ncclInvalidUsage \(5\)/,
    );
    let code = 7;
    const { fake, comm } = communicator({
      ncclCommGetAsyncError: (_: number, out: BigUint64Array) => {
        out[0] = BigInt(code);
        return undefined;
      },
      ncclSend: () => 4,
    });
    comm.check(); // under way
    code = 6;
    expect(() => comm.check()).toThrow(/ncclRemoteError \(6\): another member has failed or ended/);
    expect(() => comm.together(() => comm.send(from, 0))).toThrow(/ncclInvalidArgument/);
    expect(fake.named("ncclGroupEnd")).toHaveLength(1);
    comm.abort();
    expect(fake.named("ncclCommAbort")).toHaveLength(1);
  });

  it("is looked for by its name, and says its version", () => {
    expect(libraryCandidates("nccl").at(-1)).toMatch(/nccl/);
    const fake = new Recording(NCCL, {
      ncclGetVersion: (out) => {
        (out as BigUint64Array)[0] = 23_203n;
        return undefined;
      },
    });
    expect(ncclVersion(checkedNccl(fake.raw))).toBe("2.32.3");
  });

  // by value, 128 bytes go another way than a pointer does: a library that a compiler made has to read them
  it.skipIf(typeof toolchain() === "string" || process.platform === "win32")("passes the id by value", () => {
    const folder = mkdtempSync(join(tmpdir(), "mlsys-nccl-"));
    try {
      const source = join(folder, "fake.c");
      writeFileSync(
        source,
        `typedef struct { char internal[128]; } ncclUniqueId;
        int ncclGetUniqueId(ncclUniqueId *id) { for (int i = 0; i < 128; i++) id->internal[i] = 3 * i; return 0; }
        int ncclCommInitRank(void **comm, int n, ncclUniqueId id, int rank) {
          for (int i = 0; i < 128; i++) if (id.internal[i] != (char)(3 * i)) return 4;
          *comm = (void *)(long)(100 * n + rank);
          return 0;
        }
        int ncclAllReduce(void *a, void *b, unsigned long n, int t, int o, void *comm, void *s) {
          return (long)comm == 402 && (long)s == 9 && n == 12 ? 0 : 3;
        }`,
      );
      const { compiler } = toolchain() as { compiler: string };
      execFileSync(compiler, ["-shared", "-fPIC", "-o", join(folder, "fake.so"), source]);
      const api = checkedNccl(bindLibrary(join(folder, "fake.so"), NCCL));
      new NcclCommunicator(api, uniqueId(api), 2, 4, STREAM).allReduce(from, 0, "sum");
      expect(() => new NcclCommunicator(api, new Uint8Array(128), 2, 4, STREAM)).toThrow(
        /ncclInvalidArgument/,
      );
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
