// Made by common.test.ts from the packages' interface files (Apache License 2.0): change those.
// biome-ignore-all lint/suspicious/noShadowRestrictedNames: the names are ROS's
// biome-ignore-all lint/suspicious/noRedeclare: a message and its constants share a name
import type * as std_msgs from "./std_msgs.js";

/**
 * `diagnostic_msgs/msg/DiagnosticArray`
 * This message is used to send diagnostic information about the state of the robot.
 */
export interface DiagnosticArray {
  /** for timestamp */
  header: std_msgs.Header;
  /** an array of components being reported on */
  status: DiagnosticStatus[];
}

/**
 * `diagnostic_msgs/msg/DiagnosticStatus`
 * This message holds the status of an individual component of the robot.
 */
export interface DiagnosticStatus {
  /** Level of operation enumerated above. (byte) */
  level: number;
  /** A description of the test/component reporting. */
  name: string;
  /** A description of the status. */
  message: string;
  /** A hardware unique string. */
  hardware_id: string;
  /** An array of values associated with the status. */
  values: KeyValue[];
}
/** Constants of `diagnostic_msgs/msg/DiagnosticStatus`. */
export const DiagnosticStatus = {
  /** Possible levels of operations. */
  OK: 0,
  WARN: 1,
  ERROR: 2,
  STALE: 3,
} as const;

/**
 * `diagnostic_msgs/msg/KeyValue`
 * What to label this value when viewing.
 */
export interface KeyValue {
  key: string;
  /** A value to track over time. */
  value: string;
}

/**
 * `diagnostic_msgs/srv/AddDiagnostics_Request`
 * This service is used as part of the process for loading analyzers at runtime,
 * and should be used by a loader script or program, not as a standalone service.
 * Information about dynamic addition of analyzers can be found at
 * http://wiki.ros.org/diagnostics/Tutorials/Adding%20Analyzers%20at%20Runtime
 */
export interface AddDiagnostics_Request {
  /**
   * The load_namespace parameter defines the namespace where parameters for the
   * initialization of analyzers in the diagnostic aggregator have been loaded. The
   * value should be a global name (i.e. /my/name/space), not a relative
   * (my/name/space) or private (~my/name/space) name. Analyzers will not be added
   * if a non-global name is used. The call will also fail if the namespace
   * contains parameters that follow a namespace structure that does not conform to
   * that expected by the analyzer definitions. See
   * http://wiki.ros.org/diagnostics/Tutorials/Configuring%20Diagnostic%20Aggregators
   * and http://wiki.ros.org/diagnostics/Tutorials/Using%20the%20GenericAnalyzer
   * for examples of the structure of yaml files which are expected to have been
   * loaded into the namespace.
   */
  load_namespace: string;
}

/**
 * `diagnostic_msgs/srv/AddDiagnostics_Response`
 * True if diagnostic aggregator was updated with new diagnostics, False
 * otherwise. A false return value means that either there is a bond in the
 * aggregator which already used the requested namespace, or the initialization
 * of analyzers failed.
 */
export interface AddDiagnostics_Response {
  success: boolean;
  /** Message with additional information about the success or failure */
  message: string;
}

/** `diagnostic_msgs/srv/SelfTest_Request` */
export type SelfTest_Request = Record<string, never>;

/** `diagnostic_msgs/srv/SelfTest_Response` */
export interface SelfTest_Response {
  id: string;
  /** (byte) */
  passed: number;
  status: DiagnosticStatus[];
}

export interface Messages {
  "diagnostic_msgs/msg/DiagnosticArray": DiagnosticArray;
  "diagnostic_msgs/msg/DiagnosticStatus": DiagnosticStatus;
  "diagnostic_msgs/msg/KeyValue": KeyValue;
}

export interface Services {
  "diagnostic_msgs/srv/AddDiagnostics": {
    request: AddDiagnostics_Request;
    response: AddDiagnostics_Response;
  };
  "diagnostic_msgs/srv/SelfTest": { request: SelfTest_Request; response: SelfTest_Response };
}

/** @internal */
export const texts = {
  "diagnostic_msgs/msg/DiagnosticArray": "std_msgs/Header header\nDiagnosticStatus[] status",
  "diagnostic_msgs/msg/DiagnosticStatus":
    "byte OK=0\nbyte WARN=1\nbyte ERROR=2\nbyte STALE=3\nbyte level\nstring name\nstring message\nstring hardware_id\nKeyValue[] values",
  "diagnostic_msgs/msg/KeyValue": "string key\nstring value",
  "diagnostic_msgs/srv/AddDiagnostics": "string load_namespace\n---\nbool success\nstring message",
  "diagnostic_msgs/srv/SelfTest": "---\nstring id\nbyte passed\nDiagnosticStatus[] status",
};
