/** rclnodejs's addon, with what `assets/rclnodejs/host.cpp` adds to it: found, made loadable, loaded. */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { isMainThread } from "node:worker_threads";
import { RosError } from "../node/errors.js";
import { type RosInstallation, rosHome, rosInstallationAt } from "./place.js";

/** A thing of rcl's; releasing it twice does nothing. */
export interface Handle {
  release(): void;
}

/** Opaque: the C structures of a service's request and response. */
export interface NativeServiceType {
  readonly __service: unique symbol;
}

/** rmw's numbers and nanoseconds: history, depth, reliability, durability, deadline, lifespan, liveliness, lease. */
export type NativeQos = readonly [number, number, number, number, bigint, bigint, number, bigint];

export interface NativeEndpoint {
  readonly node_name: string;
  readonly node_namespace: string;
  readonly topic_type: string;
  readonly qos_profile: {
    readonly depth: number;
    readonly history: number;
    readonly reliability: number;
    readonly durability: number;
    readonly liveliness: number;
    readonly deadline: NativeDuration;
    readonly lifespan: NativeDuration;
    readonly liveliness_lease_duration: NativeDuration;
  };
}

export interface NativeDuration {
  readonly seconds: bigint;
  readonly nanoseconds: number;
}

/** Told how many came since it was called last. */
type Listener = (count: number) => void;

/** What is used of the addon: rclnodejs's own functions, and ours under `mlsys`. */
export interface RclAddon {
  createContext(): Handle;
  init(context: Handle, args: readonly string[], domain: bigint): void;
  createNode(
    name: string,
    namespace: string,
    context: Handle,
    args: readonly string[],
    useGlobalArguments: boolean,
    rosoutQos: null,
  ): Handle;
  getNodeNames(node: Handle, enclaves: boolean): { name: string; namespace: string }[];
  getTopicNamesAndTypes(node: Handle, noDemangle: boolean): { name: string; types: string[] }[];
  getServiceNamesAndTypes(node: Handle): { name: string; types: string[] }[];
  getPublishersInfoByTopic(node: Handle, topic: string, noMangle: boolean): NativeEndpoint[];
  getSubscriptionsInfoByTopic(node: Handle, topic: string, noMangle: boolean): NativeEndpoint[];
  getSubscriptionCount(publisher: Handle): number;
  getPublisherCount(subscription: Handle): number;
  assertLiveliness(publisher: Handle): void;
  /** False when the nanoseconds are over. */
  waitForAllAcked(publisher: Handle, nanoseconds: bigint): boolean;
  serviceServerIsAvailable(node: Handle, client: Handle): boolean;
  takeEvent(event: Handle, kind: Record<string, number>): Record<string, number>;
  getRMWImplementationIdentifier(): string;
  readonly mlsys: {
    preload(library: string): void;
    createPublisher(node: Handle, library: string, type: string, topic: string, qos: NativeQos): Handle;
    publish(publisher: Handle, bytes: Uint8Array): void;
    createSubscription(
      node: Handle,
      library: string,
      type: string,
      topic: string,
      qos: NativeQos,
      onMessage: Listener,
    ): Handle;
    /**
     * Length of the message in `scratch`, or the bytes of one that is too large for it; when it was sent and received
     * (nanoseconds since 1970).
     */
    take(subscription: Handle, scratch: Uint8Array): [number | Uint8Array, bigint, bigint] | undefined;
    serviceType(library: string, type: string): NativeServiceType;
    createService(
      node: Handle,
      library: string,
      type: string,
      name: string,
      qos: NativeQos,
      onRequest: Listener,
    ): Handle;
    createClient(
      node: Handle,
      library: string,
      type: string,
      name: string,
      qos: NativeQos,
      onResponse: Listener,
    ): Handle;
    takeRequest(service: Handle, type: NativeServiceType): [Uint8Array, Uint8Array] | undefined;
    /** False if the middleware does not know the client's end yet. */
    sendResponse(service: Handle, type: NativeServiceType, id: Uint8Array, bytes: Uint8Array): boolean;
    sendRequest(client: Handle, type: NativeServiceType, bytes: Uint8Array): number;
    takeResponse(client: Handle, type: NativeServiceType): [Uint8Array, number] | undefined;
    createPublisherEvent(publisher: Handle, kind: number, onEvent: Listener): Handle | undefined;
    createSubscriptionEvent(subscription: Handle, kind: number, onEvent: Listener): Handle | undefined;
    watchGraph(context: Handle, node: Handle, onChange: Listener): Handle;
  };
}

/** The addon, and the installation that it is of. */
export interface LoadedRos {
  readonly addon: RclAddon;
  readonly installation: RosInstallation;
}

let loaded: LoadedRos | undefined;

/**
 * Whether `npx mlsys ros install` has been here: a look at one file.
 * @example const host = ros.rosIsInstalled() ? "rclnodejs" : "graph";
 */
export const rosIsInstalled = (): boolean => rosInstallationAt(rosHome()) !== null;

/** Loads the addon, once. @throws {RosError} with what is missing and what to do */
export function loadRos(): LoadedRos {
  if (loaded) return loaded;
  const home = rosHome();
  const installation = rosInstallationAt(home);
  if (!installation)
    throw new RosError(
      'ROS 2 is not installed here; get it with: npx mlsys ros install. Without it, nodes run on the in-process graph: { host: "graph" }.',
    );
  if (!isMainThread)
    throw new RosError(
      "rclnodejs runs in the main thread of a process only: start a process of its own for these nodes.",
    );
  if (!existsSync(installation.addon))
    throw new RosError(`${installation.addon} is gone; get it back with: npx mlsys ros install`);
  setEnvironment(installation);
  try {
    loaded = {
      addon: createRequire(join(home, "package.json"))(installation.addon) as RclAddon,
      installation,
    };
  } catch (error) {
    throw new RosError(
      `rclnodejs's addon does not load: ${(error as Error).message.split("\n")[0]}. npx mlsys ros doctor says what is wrong.`,
      { cause: error },
    );
  }
  return loaded;
}

/** What rcl and its middleware ask the environment; the loader's own paths are in the addon. */
function setEnvironment({ prefixes, distro }: RosInstallation): void {
  const before = process.env.AMENT_PREFIX_PATH?.split(delimiter).filter(Boolean) ?? [];
  process.env.AMENT_PREFIX_PATH = [...new Set([...prefixes, ...before])].join(delimiter);
  process.env.ROS_DISTRO ??= distro;
  if (!OWN_SETTINGS.some((name) => process.env[name]) && !existsSync("DEFAULT_FASTDDS_PROFILES.xml"))
    process.env.FASTDDS_DEFAULT_PROFILES_FILE = PROFILE;
}

/** Where the user tells Fast DDS of transports; then ours are not wanted. */
const OWN_SETTINGS = [
  "FASTDDS_DEFAULT_PROFILES_FILE",
  "FASTRTPS_DEFAULT_PROFILES_FILE",
  "FASTDDS_BUILTIN_TRANSPORTS",
] as const;
const PROFILE = fileURLToPath(new URL("../../../../assets/rclnodejs/fastdds.xml", import.meta.url));
