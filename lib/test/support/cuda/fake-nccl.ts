/** NCCL for tests: a communicator of one member, whose work runs in the order of a stream of the fake driver. */
import type { RawNccl } from "../../../src/runtime/cuda/nccl.js";
import type { FakeDriver } from "./fake-driver.js";

const BYTES: Readonly<Record<number, number>> = { 0: 1, 1: 1, 2: 4, 4: 8, 6: 2, 7: 4, 8: 8, 9: 2 };

export function fakeNccl(driver: FakeDriver): { raw: RawNccl; alive: Set<number>; calls: string[] } {
  const alive = new Set<number>();
  const calls: string[] = [];
  /** Sends to itself that no receive has taken yet. */
  const sent: { from: number; bytes: number }[] = [];
  let next = 0;
  const copy = (name: string, from: number, into: number, bytes: number, handle: number): number => {
    calls.push(name);
    const stream = driver.stream(handle);
    if (!stream) return 4;
    driver.enqueue(stream, {
      kind: name,
      shape: name,
      ranges: [
        driver.range(from, bytes, false, `${name}, from`),
        ...(into === from ? [] : [driver.range(into, bytes, true, `${name}, into`)]),
      ],
      run: () => driver.memory.write(into, driver.memory.read(from, bytes).slice()),
    });
    return 0;
  };
  const out = (host: unknown, value: number): number => {
    (host as BigUint64Array)[0] = BigInt(value);
    return 0;
  };
  const raw: RawNccl = {
    ncclGetVersion: (host) => out(host, 23_203),
    ncclGetUniqueId: () => 0,
    ncclCommInitRank(host, size, _, rank) {
      if (size !== 1 || rank !== 0) return 4;
      alive.add(++next);
      return out(host, next);
    },
    ncclCommFinalize: () => 0,
    ncclCommDestroy: (comm) => (alive.delete(comm) ? 0 : 4),
    ncclCommAbort: (comm) => (alive.delete(comm) ? 0 : 4),
    ncclCommGetAsyncError: (_, host) => out(host, 0),
    ncclAllReduce: (from, into, n, type, _op, _comm, stream) =>
      copy("allReduce", from, into, n * BYTES[type], stream),
    ncclReduce: (from, into, n, type, _op, _root, _comm, stream) =>
      copy("reduce", from, into, n * BYTES[type], stream),
    ncclBroadcast: (from, into, n, type, _root, _comm, stream) =>
      copy("broadcast", from, into, n * BYTES[type], stream),
    ncclAllGather: (from, into, n, type, _comm, stream) =>
      copy("allGather", from, into, n * BYTES[type], stream),
    ncclReduceScatter: (from, into, n, type, _op, _comm, stream) =>
      copy("reduceScatter", from, into, n * BYTES[type], stream),
    ncclSend(from, n, type) {
      sent.push({ from, bytes: n * BYTES[type] });
      return 0;
    },
    ncclRecv(into, n, type, _from, _comm, stream) {
      const message = sent.shift();
      if (message?.bytes !== n * BYTES[type]) return 5;
      return copy("message", message.from, into, message.bytes, stream);
    },
    ncclGroupStart: () => 0,
    ncclGroupEnd: () => 0,
  };
  return { raw, alive, calls };
}
