/**
 * One machine whose ranks are threads: messages are copies that a receiver's core makes, and everything shares the cores
 * and the memory's bandwidth. What `launch` runs on.
 */
import { ValueError } from "../../../core/errors.js";
import type { VirtualOptions } from "../run/virtual-cluster.js";
import { count, type Network } from "./network.js";

export interface SharedMemory {
  readonly ranks: number;
  /** Cores that ranks and their communication share. */
  readonly cores: number;
  /** Bytes per second that one core copies out of another rank's memory. */
  readonly copyRate: number;
  /** Bytes per second that all copies together reach. */
  readonly memoryRate: number;
  /** Seconds of a message besides its copy. */
  readonly latency: number;
  /** Seconds of a core to combine a byte, besides its copy. */
  readonly combineSecondsPerByte: number;
}

/**
 * The machine as a network, and what `simulatePrograms` is told of it.
 * @throws ValueError for counts and rates that are none
 * @example
 * const machine = { ranks: 4, cores: 2, copyRate: 4e9, memoryRate: 8e9, latency: 1e-5, combineSecondsPerByte: 0 };
 * const { network, options } = sharedMemory(machine);
 * (await simulatePrograms(network, ({ compute }) => compute(1), options)).seconds // 2
 */
export function sharedMemory(machine: SharedMemory): {
  readonly network: Network;
  readonly options: VirtualOptions;
} {
  const { ranks, cores, copyRate, memoryRate, latency, combineSecondsPerByte } = machine;
  count(ranks, "sharedMemory: the number of ranks");
  count(cores, "sharedMemory: the number of cores");
  if (!(copyRate > 0 && memoryRate > 0))
    throw new ValueError(`sharedMemory: rates are above 0, got ${copyRate} and ${memoryRate}`);
  const [CORES, MEMORY] = [0, 1];
  const network: Network = {
    devices: ranks,
    // core-seconds per second; bytes per second
    links: [
      { name: "cores", bandwidth: cores, latency },
      { name: "memory", bandwidth: memoryRate, latency: 0 },
    ],
    hosts: Array.from({ length: ranks }, () => "this machine"),
    route: () => [CORES],
    demand: () => ({ links: [CORES, MEMORY], weights: [1 / copyRate, 1], cap: copyRate }),
  };
  const work = (): { links: number[]; cap: number } => ({ links: [CORES], cap: 1 });
  // a receiver reads where the sender's bytes lie: both must be there
  return { network, options: { work, combineSecondsPerByte, rendezvousFrom: 0 } };
}
