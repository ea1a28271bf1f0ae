// Made by common.test.ts from the packages' interface files (Apache License 2.0): change those.
// biome-ignore-all lint/suspicious/noShadowRestrictedNames: the names are ROS's
// biome-ignore-all lint/suspicious/noRedeclare: a message and its constants share a name

/** `std_srvs/srv/Empty_Request` */
export type Empty_Request = Record<string, never>;

/** `std_srvs/srv/Empty_Response` */
export type Empty_Response = Record<string, never>;

/** `std_srvs/srv/SetBool_Request` */
export interface SetBool_Request {
  /** e.g. for hardware enabling / disabling */
  data: boolean;
}

/** `std_srvs/srv/SetBool_Response` */
export interface SetBool_Response {
  /** indicate successful run of triggered service */
  success: boolean;
  /** informational, e.g. for error messages */
  message: string;
}

/** `std_srvs/srv/Trigger_Request` */
export type Trigger_Request = Record<string, never>;

/** `std_srvs/srv/Trigger_Response` */
export interface Trigger_Response {
  /** indicate successful run of triggered service */
  success: boolean;
  /** informational, e.g. for error messages */
  message: string;
}

export interface Services {
  "std_srvs/srv/Empty": { request: Empty_Request; response: Empty_Response };
  "std_srvs/srv/SetBool": { request: SetBool_Request; response: SetBool_Response };
  "std_srvs/srv/Trigger": { request: Trigger_Request; response: Trigger_Response };
}

/** @internal */
export const texts = {
  "std_srvs/srv/Empty": "---",
  "std_srvs/srv/SetBool": "bool data\n---\nbool success\nstring message",
  "std_srvs/srv/Trigger": "---\nbool success\nstring message",
};
