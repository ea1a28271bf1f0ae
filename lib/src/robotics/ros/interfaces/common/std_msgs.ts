// Made by common.test.ts from the packages' interface files (Apache License 2.0): change those.
// biome-ignore-all lint/suspicious/noShadowRestrictedNames: the names are ROS's
// biome-ignore-all lint/suspicious/noRedeclare: a message and its constants share a name
import type * as builtin_interfaces from "./builtin_interfaces.js";

/**
 * `std_msgs/msg/Bool`
 * This was originally provided as an example message.
 * It is deprecated as of Foxy
 * It is recommended to create your own semantically meaningful message.
 * However if you would like to continue using this please use the equivalent in example_msgs.
 */
export interface Bool {
  data: boolean;
}

/**
 * `std_msgs/msg/Byte`
 * This was originally provided as an example message.
 * It is deprecated as of Foxy
 * It is recommended to create your own semantically meaningful message.
 * However if you would like to continue using this please use the equivalent in example_msgs.
 */
export interface Byte {
  /** (byte) */
  data: number;
}

/**
 * `std_msgs/msg/ByteMultiArray`
 * This was originally provided as an example message.
 * It is deprecated as of Foxy
 * It is recommended to create your own semantically meaningful message.
 * However if you would like to continue using this please use the equivalent in example_msgs.
 */
export interface ByteMultiArray {
  /** specification of data layout */
  layout: MultiArrayLayout;
  /** array of data (byte) */
  data: Uint8Array;
}

/**
 * `std_msgs/msg/Char`
 * This was originally provided as an example message.
 * It is deprecated as of Foxy
 * It is recommended to create your own semantically meaningful message.
 * However if you would like to continue using this please use the equivalent in example_msgs.
 */
export interface Char {
  /** (char) */
  data: number;
}

/** `std_msgs/msg/ColorRGBA` */
export interface ColorRGBA {
  /** (float32) */
  r: number;
  /** (float32) */
  g: number;
  /** (float32) */
  b: number;
  /** (float32) */
  a: number;
}

/** `std_msgs/msg/Empty` */
export type Empty = Record<string, never>;

/**
 * `std_msgs/msg/Float32`
 * This was originally provided as an example message.
 * It is deprecated as of Foxy
 * It is recommended to create your own semantically meaningful message.
 * However if you would like to continue using this please use the equivalent in example_msgs.
 */
export interface Float32 {
  /** (float32) */
  data: number;
}

/**
 * `std_msgs/msg/Float32MultiArray`
 * This was originally provided as an example message.
 * It is deprecated as of Foxy
 * It is recommended to create your own semantically meaningful message.
 * However if you would like to continue using this please use the equivalent in example_msgs.
 */
export interface Float32MultiArray {
  /** specification of data layout */
  layout: MultiArrayLayout;
  /** array of data (float32) */
  data: Float32Array;
}

/**
 * `std_msgs/msg/Float64`
 * This was originally provided as an example message.
 * It is deprecated as of Foxy
 * It is recommended to create your own semantically meaningful message.
 * However if you would like to continue using this please use the equivalent in example_msgs.
 */
export interface Float64 {
  /** (float64) */
  data: number;
}

/**
 * `std_msgs/msg/Float64MultiArray`
 * This was originally provided as an example message.
 * It is deprecated as of Foxy
 * It is recommended to create your own semantically meaningful message.
 * However if you would like to continue using this please use the equivalent in example_msgs.
 */
export interface Float64MultiArray {
  /** specification of data layout */
  layout: MultiArrayLayout;
  /** array of data (float64) */
  data: Float64Array;
}

/**
 * `std_msgs/msg/Header`
 * Standard metadata for higher-level stamped data types.
 * This is generally used to communicate timestamped data
 * in a particular coordinate frame.
 */
export interface Header {
  /** Two-integer timestamp that is expressed as seconds and nanoseconds. */
  stamp: builtin_interfaces.Time;
  /** Transform frame with which this data is associated. */
  frame_id: string;
}

/**
 * `std_msgs/msg/Int16`
 * This was originally provided as an example message.
 * It is deprecated as of Foxy
 * It is recommended to create your own semantically meaningful message.
 * However if you would like to continue using this please use the equivalent in example_msgs.
 */
export interface Int16 {
  /** (int16) */
  data: number;
}

/**
 * `std_msgs/msg/Int16MultiArray`
 * This was originally provided as an example message.
 * It is deprecated as of Foxy
 * It is recommended to create your own semantically meaningful message.
 * However if you would like to continue using this please use the equivalent in example_msgs.
 */
export interface Int16MultiArray {
  /** specification of data layout */
  layout: MultiArrayLayout;
  /** array of data (int16) */
  data: Int16Array;
}

/**
 * `std_msgs/msg/Int32`
 * This was originally provided as an example message.
 * It is deprecated as of Foxy
 * It is recommended to create your own semantically meaningful message.
 * However if you would like to continue using this please use the equivalent in example_msgs.
 */
export interface Int32 {
  /** (int32) */
  data: number;
}

/**
 * `std_msgs/msg/Int32MultiArray`
 * This was originally provided as an example message.
 * It is deprecated as of Foxy
 * It is recommended to create your own semantically meaningful message.
 * However if you would like to continue using this please use the equivalent in example_msgs.
 */
export interface Int32MultiArray {
  /** specification of data layout */
  layout: MultiArrayLayout;
  /** array of data (int32) */
  data: Int32Array;
}

/**
 * `std_msgs/msg/Int64`
 * This was originally provided as an example message.
 * It is deprecated as of Foxy
 * It is recommended to create your own semantically meaningful message.
 * However if you would like to continue using this please use the equivalent in example_msgs.
 */
export interface Int64 {
  /** (int64) */
  data: bigint;
}

/**
 * `std_msgs/msg/Int64MultiArray`
 * This was originally provided as an example message.
 * It is deprecated as of Foxy
 * It is recommended to create your own semantically meaningful message.
 * However if you would like to continue using this please use the equivalent in example_msgs.
 */
export interface Int64MultiArray {
  /** specification of data layout */
  layout: MultiArrayLayout;
  /** array of data (int64) */
  data: BigInt64Array;
}

/**
 * `std_msgs/msg/Int8`
 * This was originally provided as an example message.
 * It is deprecated as of Foxy
 * It is recommended to create your own semantically meaningful message.
 * However if you would like to continue using this please use the equivalent in example_msgs.
 */
export interface Int8 {
  /** (int8) */
  data: number;
}

/**
 * `std_msgs/msg/Int8MultiArray`
 * This was originally provided as an example message.
 * It is deprecated as of Foxy
 * It is recommended to create your own semantically meaningful message.
 * However if you would like to continue using this please use the equivalent in example_msgs.
 */
export interface Int8MultiArray {
  /** specification of data layout */
  layout: MultiArrayLayout;
  /** array of data (int8) */
  data: Int8Array;
}

/**
 * `std_msgs/msg/MultiArrayDimension`
 * This was originally provided as an example message.
 * It is deprecated as of Foxy
 * It is recommended to create your own semantically meaningful message.
 * However if you would like to continue using this please use the equivalent in example_msgs.
 */
export interface MultiArrayDimension {
  /** label of given dimension */
  label: string;
  /** size of given dimension (in type units) (uint32) */
  size: number;
  /** stride of given dimension (uint32) */
  stride: number;
}

/**
 * `std_msgs/msg/MultiArrayLayout`
 * This was originally provided as an example message.
 * It is deprecated as of Foxy
 * It is recommended to create your own semantically meaningful message.
 * However if you would like to continue using this please use the equivalent in example_msgs.
 */
export interface MultiArrayLayout {
  /** Array of dimension properties */
  dim: MultiArrayDimension[];
  /** padding bytes at front of data (uint32) */
  data_offset: number;
}

/**
 * `std_msgs/msg/String`
 * This was originally provided as an example message.
 * It is deprecated as of Foxy
 * It is recommended to create your own semantically meaningful message.
 * However if you would like to continue using this please use the equivalent in example_msgs.
 */
export interface String {
  data: string;
}

/**
 * `std_msgs/msg/UInt16`
 * This was originally provided as an example message.
 * It is deprecated as of Foxy
 * It is recommended to create your own semantically meaningful message.
 * However if you would like to continue using this please use the equivalent in example_msgs.
 */
export interface UInt16 {
  /** (uint16) */
  data: number;
}

/**
 * `std_msgs/msg/UInt16MultiArray`
 * This was originally provided as an example message.
 * It is deprecated as of Foxy
 * It is recommended to create your own semantically meaningful message.
 * However if you would like to continue using this please use the equivalent in example_msgs.
 */
export interface UInt16MultiArray {
  /** specification of data layout */
  layout: MultiArrayLayout;
  /** array of data (uint16) */
  data: Uint16Array;
}

/**
 * `std_msgs/msg/UInt32`
 * This was originally provided as an example message.
 * It is deprecated as of Foxy
 * It is recommended to create your own semantically meaningful message.
 * However if you would like to continue using this please use the equivalent in example_msgs.
 */
export interface UInt32 {
  /** (uint32) */
  data: number;
}

/**
 * `std_msgs/msg/UInt32MultiArray`
 * This was originally provided as an example message.
 * It is deprecated as of Foxy
 * It is recommended to create your own semantically meaningful message.
 * However if you would like to continue using this please use the equivalent in example_msgs.
 */
export interface UInt32MultiArray {
  /** specification of data layout */
  layout: MultiArrayLayout;
  /** array of data (uint32) */
  data: Uint32Array;
}

/**
 * `std_msgs/msg/UInt64`
 * This was originally provided as an example message.
 * It is deprecated as of Foxy
 * It is recommended to create your own semantically meaningful message.
 * However if you would like to continue using this please use the equivalent in example_msgs.
 */
export interface UInt64 {
  /** (uint64) */
  data: bigint;
}

/**
 * `std_msgs/msg/UInt64MultiArray`
 * This was originally provided as an example message.
 * It is deprecated as of Foxy
 * It is recommended to create your own semantically meaningful message.
 * However if you would like to continue using this please use the equivalent in example_msgs.
 */
export interface UInt64MultiArray {
  /** specification of data layout */
  layout: MultiArrayLayout;
  /** array of data (uint64) */
  data: BigUint64Array;
}

/**
 * `std_msgs/msg/UInt8`
 * This was originally provided as an example message.
 * It is deprecated as of Foxy
 * It is recommended to create your own semantically meaningful message.
 * However if you would like to continue using this please use the equivalent in example_msgs.
 */
export interface UInt8 {
  /** (uint8) */
  data: number;
}

/**
 * `std_msgs/msg/UInt8MultiArray`
 * This was originally provided as an example message.
 * It is deprecated as of Foxy
 * It is recommended to create your own semantically meaningful message.
 * However if you would like to continue using this please use the equivalent in example_msgs.
 */
export interface UInt8MultiArray {
  /** specification of data layout */
  layout: MultiArrayLayout;
  /** array of data (uint8) */
  data: Uint8Array;
}

export interface Messages {
  "std_msgs/msg/Bool": Bool;
  "std_msgs/msg/Byte": Byte;
  "std_msgs/msg/ByteMultiArray": ByteMultiArray;
  "std_msgs/msg/Char": Char;
  "std_msgs/msg/ColorRGBA": ColorRGBA;
  "std_msgs/msg/Empty": Empty;
  "std_msgs/msg/Float32": Float32;
  "std_msgs/msg/Float32MultiArray": Float32MultiArray;
  "std_msgs/msg/Float64": Float64;
  "std_msgs/msg/Float64MultiArray": Float64MultiArray;
  "std_msgs/msg/Header": Header;
  "std_msgs/msg/Int16": Int16;
  "std_msgs/msg/Int16MultiArray": Int16MultiArray;
  "std_msgs/msg/Int32": Int32;
  "std_msgs/msg/Int32MultiArray": Int32MultiArray;
  "std_msgs/msg/Int64": Int64;
  "std_msgs/msg/Int64MultiArray": Int64MultiArray;
  "std_msgs/msg/Int8": Int8;
  "std_msgs/msg/Int8MultiArray": Int8MultiArray;
  "std_msgs/msg/MultiArrayDimension": MultiArrayDimension;
  "std_msgs/msg/MultiArrayLayout": MultiArrayLayout;
  "std_msgs/msg/String": String;
  "std_msgs/msg/UInt16": UInt16;
  "std_msgs/msg/UInt16MultiArray": UInt16MultiArray;
  "std_msgs/msg/UInt32": UInt32;
  "std_msgs/msg/UInt32MultiArray": UInt32MultiArray;
  "std_msgs/msg/UInt64": UInt64;
  "std_msgs/msg/UInt64MultiArray": UInt64MultiArray;
  "std_msgs/msg/UInt8": UInt8;
  "std_msgs/msg/UInt8MultiArray": UInt8MultiArray;
}

/** @internal */
export const texts = {
  "std_msgs/msg/Bool": "bool data",
  "std_msgs/msg/Byte": "byte data",
  "std_msgs/msg/ByteMultiArray": "MultiArrayLayout layout\nbyte[] data",
  "std_msgs/msg/Char": "char data",
  "std_msgs/msg/ColorRGBA": "float32 r\nfloat32 g\nfloat32 b\nfloat32 a",
  "std_msgs/msg/Empty": "",
  "std_msgs/msg/Float32": "float32 data",
  "std_msgs/msg/Float32MultiArray": "MultiArrayLayout layout\nfloat32[] data",
  "std_msgs/msg/Float64": "float64 data",
  "std_msgs/msg/Float64MultiArray": "MultiArrayLayout layout\nfloat64[] data",
  "std_msgs/msg/Header": "builtin_interfaces/Time stamp\nstring frame_id",
  "std_msgs/msg/Int16": "int16 data",
  "std_msgs/msg/Int16MultiArray": "MultiArrayLayout layout\nint16[] data",
  "std_msgs/msg/Int32": "int32 data",
  "std_msgs/msg/Int32MultiArray": "MultiArrayLayout layout\nint32[] data",
  "std_msgs/msg/Int64": "int64 data",
  "std_msgs/msg/Int64MultiArray": "MultiArrayLayout layout\nint64[] data",
  "std_msgs/msg/Int8": "int8 data",
  "std_msgs/msg/Int8MultiArray": "MultiArrayLayout layout\nint8[] data",
  "std_msgs/msg/MultiArrayDimension": "string label\nuint32 size\nuint32 stride",
  "std_msgs/msg/MultiArrayLayout": "MultiArrayDimension[] dim\nuint32 data_offset",
  "std_msgs/msg/String": "string data",
  "std_msgs/msg/UInt16": "uint16 data",
  "std_msgs/msg/UInt16MultiArray": "MultiArrayLayout layout\nuint16[] data",
  "std_msgs/msg/UInt32": "uint32 data",
  "std_msgs/msg/UInt32MultiArray": "MultiArrayLayout layout\nuint32[] data",
  "std_msgs/msg/UInt64": "uint64 data",
  "std_msgs/msg/UInt64MultiArray": "MultiArrayLayout layout\nuint64[] data",
  "std_msgs/msg/UInt8": "uint8 data",
  "std_msgs/msg/UInt8MultiArray": "MultiArrayLayout layout\nuint8[] data",
};
