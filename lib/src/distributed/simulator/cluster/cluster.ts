/** A cluster: one kind of device, and the network between them. */
import type { LinkKind, Network } from "./network.js";
import { DEVICES, type Device, LINKS } from "./presets.js";
import { servers } from "./topologies.js";

export interface Cluster {
  readonly device: Device;
  readonly network: Network;
  /** Devices that share the fast network inside of a server. */
  readonly perServer: number;
  /** Part of a link's bandwidth that messages reach: headers and protocol take the rest. Default 1. */
  readonly linkEfficiency?: number;
}

/** The network with what a message can have of each link. */
export function effective({ network, linkEfficiency = 1 }: Cluster): Network {
  if (linkEfficiency === 1) return network;
  return {
    ...network,
    links: network.links.map((link) => ({ ...link, bandwidth: link.bandwidth * linkEfficiency })),
  };
}

/**
 * NVIDIA DGX A100 servers: 8 A100 each on NVSwitch, a 200 Gb/s InfiniBand card per device (Narayanan et al. 2021, §5).
 * NCCL gets about 82 % of NVLink's line rate: 370 of 450 GB/s on NVLink 4 (NVIDIA/nccl-tests, issue 212).
 * @param count servers
 * @example dgxA100(4).network.devices // 32
 */
export function dgxA100(
  count: number,
  options: {
    readonly perRack?: number;
    readonly oversubscription?: number;
    readonly card?: LinkKind;
    readonly device?: Device;
  } = {},
): Cluster {
  const { card = LINKS.infiniband200, device = DEVICES.a100, ...racks } = options;
  return {
    device,
    perServer: 8,
    linkEfficiency: 0.82,
    network: servers({ servers: count, perServer: 8, inside: LINKS.nvlink3, card, ...racks }),
  };
}
