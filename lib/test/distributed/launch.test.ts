/** Ranks that are threads of this process. */
import { afterAll, describe, expect, it } from "vitest";
import { library, tensor } from "../support/built-library.js";

const { distributed } = library;
type Team = Awaited<ReturnType<typeof distributed.team>>;

const teams: Team[] = [];
afterAll(async () => {
  for (const team of teams) await team.close();
});
async function team(size: number, options: Parameters<typeof distributed.team>[1] = {}): Promise<Team> {
  const made = await distributed.team(size, { timeout: 60_000, ...options });
  teams.push(made);
  return made;
}

describe("launch", () => {
  it("gives each rank's result, with arguments and values from around the function", async () => {
    const factor = 3;
    const x = tensor([
      [1, 2],
      [3, 4],
    ]);
    const results = await distributed.launch(
      3,
      async (group, argument, more) => {
        const y = argument.mul(factor * (group.rank + 1));
        const sum = await group.allReduce(y);
        return {
          rank: group.rank,
          size: group.size,
          backend: group.backend,
          more,
          y,
          sum,
          transposed: y.transpose(),
        };
      },
      { args: [x, { text: "as it was", list: [1, null] }] as const, timeout: 60_000 },
    );
    for (const [rank, result] of results.entries()) {
      expect(result).toMatchObject({
        rank,
        size: 3,
        backend: "threads",
        more: { text: "as it was", list: [1, null] },
      });
      expect(result.y.toArray()).toEqual(x.mul(3 * (rank + 1)).toArray());
      expect(result.sum.toArray()).toEqual(x.mul(18).toArray());
      expect(result.transposed.toArray()).toEqual(result.y.transpose().toArray());
    }
  });

  it("refuses what can't be a number of ranks, and functions that can't travel", async () => {
    for (const size of [0, 1.5, 65, Number.NaN])
      await expect(distributed.launch(size, () => 1)).rejects.toThrow(
        "a number of ranks from 1 to 64 expected",
      );
    let outer = 0;
    await expect(distributed.launch(1, () => outer++)).rejects.toThrow(
      /^distributed: the function can't run on worker threads: .*changes `outer`/,
    );
    expect(outer).toBe(0);
  });

  it("ends when its signal says so, also ranks that compute without end", async () => {
    const abort = new AbortController();
    const begun = new Int32Array(new SharedArrayBuffer(4));
    const run = distributed.launch(
      2,
      (group, word) => {
        Atomics.add(word, 0, 1);
        for (let i = 0; i >= 0; i = (i + 1) % 1000);
        return group.rank;
      },
      { args: [begun] as const, signal: abort.signal },
    );
    const watch = setInterval(() => {
      if (Atomics.load(begun, 0) === 2) abort.abort(new Error("enough"));
    }, 20);
    await expect(run).rejects.toThrow("enough");
    clearInterval(watch);
  });
});

describe("a team", () => {
  const printed: [number, string, string][] = [];
  let shared: Promise<Team> | undefined; // starting threads takes longer than most of these tests
  const three = (): Promise<Team> => {
    shared ??= team(3, { onOutput: (rank, line, stream) => printed.push([rank, line, stream]) });
    return shared;
  };

  it("runs one function after the other, each in a group of its own, also after one that failed", async () => {
    const ranks = await three();
    expect(await ranks.run((group, a: number) => group.rank + a, 10)).toEqual([10, 11, 12]);
    const failing = ranks.run((group) => {
      const oops = (): never => {
        throw new RangeError("too far");
      };
      if (group.rank === 1) oops();
      return group.barrier().wait();
    });
    const error = await failing.then(
      () => null,
      (reason: unknown) => reason as InstanceType<typeof distributed.RankError>,
    );
    expect(error).toMatchObject({ name: "RankError", rank: 1, message: "rank 1: RangeError: too far" });
    expect(error?.reason).toMatchObject({ name: "RangeError", message: "too far" });
    expect(error?.rankStack).toContain("oops");
    expect(await ranks.run((group) => group.allGatherObject(group.rank))).toEqual([
      [0, 1, 2],
      [0, 1, 2],
      [0, 1, 2],
    ]);
  });

  it("shows what ranks print in order, each line behind its rank's number, while they compute", async () => {
    const ranks = await three();
    const lines = printed;
    await ranks.run((group) => {
      console.log("one\ntwo");
      process.stdout.write("begun");
      if (group.rank === 1) console.error("wrong");
      console.log(" and ended");
      process.stdout.write("never ended");
    });
    const wanted = ["one", "two", "begun and ended", "never ended"];
    for (const rank of [0, 1, 2])
      expect(
        lines.filter(([r, , stream]) => r === rank && stream === "stdout").map(([, line]) => line),
      ).toEqual(wanted);
    expect(lines.filter(([, , stream]) => stream === "stderr")).toEqual([[1, "wrong", "stderr"]]);
  });

  it("whose thread dies fails with that, and tells the others", async () => {
    const lines: string[] = [];
    const ranks = await team(3, { onOutput: (_rank, line) => lines.push(line) });
    const run = ranks.run(async (group) => {
      await group.barrier();
      if (group.rank === 2) process.exit(7);
      try {
        group.barrier().wait();
      } catch (error) {
        console.log(`${(error as Error).name}: ${(error as Error).message}`);
      }
    });
    await expect(run).rejects.toThrow("rank 2: Error: its thread ended with exit code 7");
    expect(lines).toEqual([
      "PeerLostError: rank 2 is gone: it has ended",
      "PeerLostError: rank 2 is gone: it has ended",
    ]);
    await expect(ranks.run(() => 1)).rejects.toThrow("its thread ended with exit code 7");
  });

  it("may leave as soon as they have what they want: what they were sent counts as sent", async () => {
    const three = await team(3);
    for (let run = 0; run < 40; run++)
      await three.run(
        async (group, x) => {
          const [right, left] = [(group.rank + 1) % 3, (group.rank + 2) % 3];
          for (let i = 0; i < 2; i++) {
            const sending = group.send(x, right);
            await group.receive(x, left);
            await sending;
          }
        },
        tensor(new Float32Array(300)),
      );
  });

  it("runs one function at a time, and none when it is closed", async () => {
    const ranks = await team(1);
    const first = ranks.run(() => 1);
    await expect(ranks.run(() => 2)).rejects.toThrow("this team runs another function");
    expect(await first).toEqual([1]);
    await ranks.close();
    await expect(ranks.run(() => 1)).rejects.toThrow("this team is closed");
  });

  it("gives memory back: results and operations leave nothing behind", async () => {
    const ranks = await three();
    const { heapStats, ones, tidy } = library;
    const growths = await ranks.run((group) => {
      const step = (): void => {
        tidy(() => {
          const x = ones([1000, group.rank + 1]);
          group.allReduce(ones([2000])).wait();
          group.allGather(x, { axis: 1 }).wait();
          group.reduceScatter(x.transpose().slice("0:1"), { axis: 1 }).wait();
          group.broadcast(ones([100]), 1).wait();
          return undefined;
        });
      };
      for (let i = 0; i < 20; i++) step();
      const before = heapStats();
      for (let i = 0; i < 200; i++) step();
      const after = heapStats();
      return {
        bytes: after.liveBytes - before.liveBytes,
        storages: after.liveStorages - before.liveStorages,
        committed: after.committedBytes - before.committedBytes,
      };
    });
    for (const growth of growths) expect(growth).toEqual({ bytes: 0, storages: 0, committed: 0 });
  });
});
