// Made by common.test.ts from the packages' interface files (Apache License 2.0): change those.
// biome-ignore-all lint/suspicious/noShadowRestrictedNames: the names are ROS's
// biome-ignore-all lint/suspicious/noRedeclare: a message and its constants share a name
import type * as builtin_interfaces from "./builtin_interfaces.js";

/** `service_msgs/msg/ServiceEventInfo` */
export interface ServiceEventInfo {
  /** The type of event this message represents (uint8) */
  event_type: number;
  /** Timestamp for when the event occurred (sent or received time) */
  stamp: builtin_interfaces.Time;
  /**
   * Unique identifier for the client that sent the service request
   * Note, this is only unique for the current session.
   * The size here has to match the size of rmw_dds_common/msg/Gid,
   * but unfortunately we cannot use that message directly due to a
   * circular dependency. (char, 16 elements)
   */
  client_gid: Uint8Array;
  /**
   * Sequence number for the request
   * Combined with the client ID, this creates a unique ID for the service transaction (int64)
   */
  sequence_number: bigint;
}
/** Constants of `service_msgs/msg/ServiceEventInfo`. */
export const ServiceEventInfo = {
  REQUEST_SENT: 0,
  REQUEST_RECEIVED: 1,
  RESPONSE_SENT: 2,
  RESPONSE_RECEIVED: 3,
} as const;

export interface Messages {
  "service_msgs/msg/ServiceEventInfo": ServiceEventInfo;
}

/** @internal */
export const texts = {
  "service_msgs/msg/ServiceEventInfo":
    "uint8 REQUEST_SENT = 0\nuint8 REQUEST_RECEIVED = 1\nuint8 RESPONSE_SENT = 2\nuint8 RESPONSE_RECEIVED = 3\nuint8 event_type\nbuiltin_interfaces/Time stamp\nchar[16] client_gid\nint64 sequence_number",
};
