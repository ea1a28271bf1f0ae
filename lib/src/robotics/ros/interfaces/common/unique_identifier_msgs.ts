// Made by common.test.ts from the packages' interface files (Apache License 2.0): change those.
// biome-ignore-all lint/suspicious/noShadowRestrictedNames: the names are ROS's
// biome-ignore-all lint/suspicious/noRedeclare: a message and its constants share a name

/**
 * `unique_identifier_msgs/msg/UUID`
 * A universally unique identifier (UUID).
 *
 *  http://en.wikipedia.org/wiki/Universally_unique_identifier
 *  http://tools.ietf.org/html/rfc4122.html
 */
export interface UUID {
  /** (uint8, 16 elements) */
  uuid: Uint8Array;
}

export interface Messages {
  "unique_identifier_msgs/msg/UUID": UUID;
}

/** @internal */
export const texts = {
  "unique_identifier_msgs/msg/UUID": "uint8[16] uuid",
};
