/** Process groups over NCCL: on an emulated device with one member, and as one of three on a recording fake. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ProcessGroup, Work } from "../../src/distributed/group/process-group.js";
import { NcclGroup } from "../../src/distributed/nccl/group.js";
import { setDevice, tensor } from "../../src/index.js";
import { useCudaMachine } from "../../src/runtime/cuda/machine.js";
import { checkedNccl, NCCL } from "../../src/runtime/cuda/nccl.js";
import { emulatedMachine } from "../support/cuda/device.js";
import { emulatorMissing } from "../support/cuda/emulator.js";
import { fakeNccl } from "../support/cuda/fake-nccl.js";
import { Recording } from "../support/cuda/recording.js";

const { machine, fake } =
  emulatorMissing === null
    ? emulatedMachine({ totalBytes: 2 ** 28 })
    : ({} as ReturnType<typeof emulatedMachine>);

beforeEach(() => {
  useCudaMachine(machine);
  setDevice("cuda");
});
afterEach(() => {
  setDevice("cpu");
  useCudaMachine(null);
});

const now = <T>(value: T): Work<T> =>
  // biome-ignore lint/suspicious/noThenProperty: work can be awaited
  ({ done: true, wait: () => value, then: (f: never) => Promise.resolve(value).then(f) }) as Work<T>;

/** The hosts' group, as far as a group of devices uses it. */
const control = (rank: number, size: number, rows: readonly number[] = []): ProcessGroup =>
  ({
    ...{ rank, size, ranks: Array.from({ length: size }, (_, i) => i), backend: "tcp" },
    broadcastObject: (value: unknown) => now(value),
    allGatherObject: (value: unknown) => now(size === 1 ? [value] : rows),
    close: async () => {},
  }) as unknown as ProcessGroup;

describe.skipIf(emulatorMissing)("process groups over NCCL", () => {
  it("move what the device is still computing, and compute with what is still moving", async () => {
    const nccl = fakeNccl(fake);
    const group = new NcclGroup(control(0, 1), checkedNccl(nccl.raw), new Uint8Array(128), 60_000);
    for (let round = 0; round < 20; round++) {
      const x = tensor([1, 2, 3]).add(round); // not there yet
      const work = group.allReduce(x);
      x.dispose(); // its memory is not given to others before it was read
      const other = tensor([9, 9, 9]).mul(2);
      const y = work.wait().mul(10); // behind the operation on the device
      expect([...y.toTypedArray()]).toEqual([10, 20, 30].map((v) => v + 10 * round));
      other.dispose();
    }
    const x = tensor([
      [1, 2],
      [3, 4],
    ]);
    const awaited = async (work: Work<unknown>) => ((await work) as ReturnType<typeof tensor>).toArray();
    expect(await awaited(group.broadcast(x.transpose()))).toEqual([
      [1, 3],
      [2, 4],
    ]);
    expect(await awaited(group.reduce(x))).toEqual(x.toArray());
    expect(await awaited(group.allGather(x, { axis: 1 }))).toEqual(x.toArray());
    expect(await awaited(group.reduceScatter(x, { axis: 1, op: "mean" }))).toEqual(x.toArray());
    expect(await awaited(group.scatter(x))).toEqual(x.toArray());
    expect(await awaited(group.gather(x))).toEqual(x.toArray());
    expect(await awaited(group.allToAll(x))).toEqual(x.toArray());
    expect(await awaited(group.scan(x))).toEqual(x.toArray());
    expect(await awaited(group.scan(x, { exclusive: true }))).toEqual([
      [0, 0],
      [0, 0],
    ]);
    expect(await awaited(group.allReduce(tensor([true, false])))).toEqual([true, false]);
    await group.barrier();
    await group.close();
    expect(nccl.alive.size).toBe(0);
    expect(new Set(nccl.calls)).toEqual(
      new Set(["allReduce", "broadcast", "reduce", "allGather", "reduceScatter", "message"]),
    );
  });

  it("ask for uneven parts, booleans and what NCCL does not know", () => {
    const recorded = new Recording(NCCL);
    const api = checkedNccl(recorded.raw);
    const group = new NcclGroup(control(1, 3, [2, 1, 3]), api, new Uint8Array(128), 60_000);
    const calls = (work: () => unknown): unknown[] => {
      const before = recorded.calls.length;
      work();
      return recorded.calls.slice(before).map(({ name, args }) => [name, ...args.slice(1, -2)]);
    };
    const x = tensor([[1, 2]]);
    const parts = calls(() => group.allGather(x)) as [string, number, number, number, number][];
    expect(parts.map(([name]) => name)).toEqual([
      ...["ncclGroupStart", "ncclBroadcast", "ncclBroadcast", "ncclBroadcast", "ncclGroupEnd"],
    ]);
    const [first, second, third] = parts.slice(1);
    expect([second[1] - first[1], third[1] - second[1]]).toEqual([16, 8]); // 2 rows and 1 of 2 float32
    expect([first, second, third].map(([, , ...rest]) => rest)).toEqual([
      [4, 7, 0],
      [2, 7, 1],
      [6, 7, 2],
    ]);
    expect(calls(() => group.allReduce(tensor([true])))).toEqual([
      ["ncclAllReduce", expect.any(Number), 1, 1, 2],
    ]);
    expect(calls(() => group.broadcast(tensor([1, 2, 3], { dtype: "int16" }), 2))).toEqual([
      ["ncclBroadcast", expect.any(Number), 6, 1, 2],
    ]);
    expect(() => group.allReduce(tensor([1], { dtype: "int16" }))).toThrow(/NCCL does not combine int16/);
    expect(() => group.allReduce(tensor([1], { dtype: "int32" }), { op: "mean" })).toThrow(
      /the mean of int32/,
    );
    expect(() => group.send(x, 3)).toThrow("send to rank 3: this group has ranks 0 to 2");
    expect(() => group.send(x, 0, { tag: 4 })).toThrow("tag 4: NCCL's messages have none");
    expect(() => group.allToAll(x, { counts: [1, 0, 0] })).toThrow(/`receive` must say/);
  });
});
