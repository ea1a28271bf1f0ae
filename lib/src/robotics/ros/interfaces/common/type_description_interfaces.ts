// Made by common.test.ts from the packages' interface files (Apache License 2.0): change those.
// biome-ignore-all lint/suspicious/noShadowRestrictedNames: the names are ROS's
// biome-ignore-all lint/suspicious/noRedeclare: a message and its constants share a name

/**
 * `type_description_interfaces/msg/Field`
 * Represents a single field in a type.
 */
export interface Field {
  /** Name of the field. */
  name: string;
  /** Type of the field, including details about the type like length, nested name, etc. */
  type: FieldType;
  /**
   * Literal default value of the field as a string, as it appeared in the original
   * message description file, whether that be .msg/.srv/.action or .idl.
   */
  default_value: string;
}

/**
 * `type_description_interfaces/msg/FieldType`
 * Represents the type of a field and related meta-data.
 */
export interface FieldType {
  /** Identifying number for the type of the field, using one of the above constants. (uint8) */
  type_id: number;
  /**
   * Only used when the type is an array or a bounded sequence.
   * In the case of an array, this is the fixed capacity of the array.
   * In the case of a bounded sequence, this is the maximum capacity of the sequence.
   * In all other cases this field is unused. (uint64)
   */
  capacity: bigint;
  /**
   * Only used when the type is a fixed or bounded string/wstring, or a array/sequence of those.
   * In the case of a fixed string/wstring, it is the fixed length of the string.
   * In the case of a bounded string/wstring, it is the maximum capacity of the string.
   * In the case of an array/sequence of fixed string/wstring, it is the fixed length of the strings.
   * In the case of an array/sequence of bounded string/wstring, it is the maximum capacity of the strings.
   * It is not currently possible to have different string capacities per element in the array/sequence. (uint64)
   */
  string_capacity: bigint;
  /**
   * Only used when the type is a nested type or array/sequence of nested types.
   * This is limited to 255 characters.
   * TODO(wjwwood): this 255 character limit was chosen due to this being the limit
   *   for DDSI-RTPS based middlewares, which is the most commonly used right now.
   *   We lack a ROS 2 specific limit in our design documents, but we should update
   *   this and/or link to the design doc when that is available. (at most 255 characters)
   */
  nested_type_name: string;
}
/** Constants of `type_description_interfaces/msg/FieldType`. */
export const FieldType = {
  FIELD_TYPE_NOT_SET: 0,
  /** Nested type defined in other .msg/.idl files. */
  FIELD_TYPE_NESTED_TYPE: 1,
  /** Integer Types */
  FIELD_TYPE_INT8: 2,
  FIELD_TYPE_UINT8: 3,
  FIELD_TYPE_INT16: 4,
  FIELD_TYPE_UINT16: 5,
  FIELD_TYPE_INT32: 6,
  FIELD_TYPE_UINT32: 7,
  FIELD_TYPE_INT64: 8,
  FIELD_TYPE_UINT64: 9,
  /** Floating-Point Types */
  FIELD_TYPE_FLOAT: 10,
  FIELD_TYPE_DOUBLE: 11,
  FIELD_TYPE_LONG_DOUBLE: 12,
  /** Char and WChar Types */
  FIELD_TYPE_CHAR: 13,
  FIELD_TYPE_WCHAR: 14,
  /** Boolean Type */
  FIELD_TYPE_BOOLEAN: 15,
  /** Byte/Octet Type */
  FIELD_TYPE_BYTE: 16,
  /** String Types */
  FIELD_TYPE_STRING: 17,
  FIELD_TYPE_WSTRING: 18,
  /** Fixed String Types */
  FIELD_TYPE_FIXED_STRING: 19,
  FIELD_TYPE_FIXED_WSTRING: 20,
  /** Bounded String Types */
  FIELD_TYPE_BOUNDED_STRING: 21,
  FIELD_TYPE_BOUNDED_WSTRING: 22,
  /** Fixed Sized Array Types */
  FIELD_TYPE_NESTED_TYPE_ARRAY: 49,
  FIELD_TYPE_INT8_ARRAY: 50,
  FIELD_TYPE_UINT8_ARRAY: 51,
  FIELD_TYPE_INT16_ARRAY: 52,
  FIELD_TYPE_UINT16_ARRAY: 53,
  FIELD_TYPE_INT32_ARRAY: 54,
  FIELD_TYPE_UINT32_ARRAY: 55,
  FIELD_TYPE_INT64_ARRAY: 56,
  FIELD_TYPE_UINT64_ARRAY: 57,
  FIELD_TYPE_FLOAT_ARRAY: 58,
  FIELD_TYPE_DOUBLE_ARRAY: 59,
  FIELD_TYPE_LONG_DOUBLE_ARRAY: 60,
  FIELD_TYPE_CHAR_ARRAY: 61,
  FIELD_TYPE_WCHAR_ARRAY: 62,
  FIELD_TYPE_BOOLEAN_ARRAY: 63,
  FIELD_TYPE_BYTE_ARRAY: 64,
  FIELD_TYPE_STRING_ARRAY: 65,
  FIELD_TYPE_WSTRING_ARRAY: 66,
  FIELD_TYPE_FIXED_STRING_ARRAY: 67,
  FIELD_TYPE_FIXED_WSTRING_ARRAY: 68,
  FIELD_TYPE_BOUNDED_STRING_ARRAY: 69,
  FIELD_TYPE_BOUNDED_WSTRING_ARRAY: 70,
  /** Bounded Sequence Types */
  FIELD_TYPE_NESTED_TYPE_BOUNDED_SEQUENCE: 97,
  FIELD_TYPE_INT8_BOUNDED_SEQUENCE: 98,
  FIELD_TYPE_UINT8_BOUNDED_SEQUENCE: 99,
  FIELD_TYPE_INT16_BOUNDED_SEQUENCE: 100,
  FIELD_TYPE_UINT16_BOUNDED_SEQUENCE: 101,
  FIELD_TYPE_INT32_BOUNDED_SEQUENCE: 102,
  FIELD_TYPE_UINT32_BOUNDED_SEQUENCE: 103,
  FIELD_TYPE_INT64_BOUNDED_SEQUENCE: 104,
  FIELD_TYPE_UINT64_BOUNDED_SEQUENCE: 105,
  FIELD_TYPE_FLOAT_BOUNDED_SEQUENCE: 106,
  FIELD_TYPE_DOUBLE_BOUNDED_SEQUENCE: 107,
  FIELD_TYPE_LONG_DOUBLE_BOUNDED_SEQUENCE: 108,
  FIELD_TYPE_CHAR_BOUNDED_SEQUENCE: 109,
  FIELD_TYPE_WCHAR_BOUNDED_SEQUENCE: 110,
  FIELD_TYPE_BOOLEAN_BOUNDED_SEQUENCE: 111,
  FIELD_TYPE_BYTE_BOUNDED_SEQUENCE: 112,
  FIELD_TYPE_STRING_BOUNDED_SEQUENCE: 113,
  FIELD_TYPE_WSTRING_BOUNDED_SEQUENCE: 114,
  FIELD_TYPE_FIXED_STRING_BOUNDED_SEQUENCE: 115,
  FIELD_TYPE_FIXED_WSTRING_BOUNDED_SEQUENCE: 116,
  FIELD_TYPE_BOUNDED_STRING_BOUNDED_SEQUENCE: 117,
  FIELD_TYPE_BOUNDED_WSTRING_BOUNDED_SEQUENCE: 118,
  /** Unbounded Sequence Types */
  FIELD_TYPE_NESTED_TYPE_UNBOUNDED_SEQUENCE: 145,
  FIELD_TYPE_INT8_UNBOUNDED_SEQUENCE: 146,
  FIELD_TYPE_UINT8_UNBOUNDED_SEQUENCE: 147,
  FIELD_TYPE_INT16_UNBOUNDED_SEQUENCE: 148,
  FIELD_TYPE_UINT16_UNBOUNDED_SEQUENCE: 149,
  FIELD_TYPE_INT32_UNBOUNDED_SEQUENCE: 150,
  FIELD_TYPE_UINT32_UNBOUNDED_SEQUENCE: 151,
  FIELD_TYPE_INT64_UNBOUNDED_SEQUENCE: 152,
  FIELD_TYPE_UINT64_UNBOUNDED_SEQUENCE: 153,
  FIELD_TYPE_FLOAT_UNBOUNDED_SEQUENCE: 154,
  FIELD_TYPE_DOUBLE_UNBOUNDED_SEQUENCE: 155,
  FIELD_TYPE_LONG_DOUBLE_UNBOUNDED_SEQUENCE: 156,
  FIELD_TYPE_CHAR_UNBOUNDED_SEQUENCE: 157,
  FIELD_TYPE_WCHAR_UNBOUNDED_SEQUENCE: 158,
  FIELD_TYPE_BOOLEAN_UNBOUNDED_SEQUENCE: 159,
  FIELD_TYPE_BYTE_UNBOUNDED_SEQUENCE: 160,
  FIELD_TYPE_STRING_UNBOUNDED_SEQUENCE: 161,
  FIELD_TYPE_WSTRING_UNBOUNDED_SEQUENCE: 162,
  FIELD_TYPE_FIXED_STRING_UNBOUNDED_SEQUENCE: 163,
  FIELD_TYPE_FIXED_WSTRING_UNBOUNDED_SEQUENCE: 164,
  FIELD_TYPE_BOUNDED_STRING_UNBOUNDED_SEQUENCE: 165,
  FIELD_TYPE_BOUNDED_WSTRING_UNBOUNDED_SEQUENCE: 166,
} as const;

/**
 * `type_description_interfaces/msg/IndividualTypeDescription`
 * Represents a single type, without the types it references, if any.
 */
export interface IndividualTypeDescription {
  /**
   * Name of the type.
   * This is limited to 255 characters.
   * TODO(wjwwood): this 255 character limit was chosen due to this being the limit
   *   for DDSI-RTPS based middlewares, which is the most commonly used right now.
   *   We lack a ROS 2 specific limit in our design documents, but we should update
   *   this and/or link to the design doc when that is available. (at most 255 characters)
   */
  type_name: string;
  /** Fields of the type. */
  fields: Field[];
}

/**
 * `type_description_interfaces/msg/KeyValue`
 * Represents an arbitrary key-value pair for application-specific information.
 */
export interface KeyValue {
  key: string;
  value: string;
}

/**
 * `type_description_interfaces/msg/TypeDescription`
 * Represents a complete type description, including the type itself as well as the types it references.
 */
export interface TypeDescription {
  /** Description of the type. */
  type_description: IndividualTypeDescription;
  /** Descriptions of all referenced types, recursively. */
  referenced_type_descriptions: IndividualTypeDescription[];
}

/**
 * `type_description_interfaces/msg/TypeSource`
 * Represents the original source of a ROS 2 interface definition.
 */
export interface TypeSource {
  /** ROS interface type name, in PACKAGE/NAMESPACE/TYPENAME format. */
  type_name: string;
  /**
   * The type of the original source file, typically matching the file extension.
   * Well-known encodings: "idl", "msg", "srv", "action", "dynamic", "implicit".
   * "dynamic" specifies a type created programmatically by a user, thus having no source.
   * "implicit" specifies a type created automatically as a subtype of a
   * complex type (service or action) - such as the request message for a service.
   * Implicit types will have no contents, the full source will be available on the parent srv/action.
   */
  encoding: string;
  /**
   * Dumped contents of the interface definition source file.
   * If `encoding` is "dynamic" or "implicit", this field will be empty.
   */
  raw_file_contents: string;
}

/**
 * `type_description_interfaces/srv/GetTypeDescription_Request`
 * ROS interface type name, in PACKAGE/NAMESPACE/TYPENAME format.
 */
export interface GetTypeDescription_Request {
  type_name: string;
  /** REP-2011 RIHS hash string. */
  type_hash: string;
  /** Whether to return the original idl/msg/etc. source file(s) in the response. */
  include_type_sources: boolean;
}

/**
 * `type_description_interfaces/srv/GetTypeDescription_Response`
 * True if the type description information is available and populated in the response.
 * If false, all other fields except `failure_reason` are considered undefined.
 */
export interface GetTypeDescription_Response {
  successful: boolean;
  /**
   * If `successful` is false, contains a reason for failure.
   * If `successful` is true, this is left empty.
   */
  failure_reason: string;
  /** The parsed type description which can be used programmatically. */
  type_description: TypeDescription;
  /**
   * A list containing the interface definition source text of the requested type,
   * plus all types it recursively depends on.
   * Each source text is a copy of the original contents of the
   * .msg, .srv, .action, .idl, or other file if it exists, including comments and whitespace.
   * Sources can be matched with IndividualTypeDescriptions by their `type_name`.
   * The `encoding` field of each entry informs how to interpret its contents.
   */
  type_sources: TypeSource[];
  /** Key-value pairs of extra information. */
  extra_information: KeyValue[];
}

export interface Messages {
  "type_description_interfaces/msg/Field": Field;
  "type_description_interfaces/msg/FieldType": FieldType;
  "type_description_interfaces/msg/IndividualTypeDescription": IndividualTypeDescription;
  "type_description_interfaces/msg/KeyValue": KeyValue;
  "type_description_interfaces/msg/TypeDescription": TypeDescription;
  "type_description_interfaces/msg/TypeSource": TypeSource;
}

export interface Services {
  "type_description_interfaces/srv/GetTypeDescription": {
    request: GetTypeDescription_Request;
    response: GetTypeDescription_Response;
  };
}

/** @internal */
export const texts = {
  "type_description_interfaces/msg/Field": "string name\nFieldType type\nstring default_value",
  "type_description_interfaces/msg/FieldType":
    "uint8 FIELD_TYPE_NOT_SET = 0\nuint8 FIELD_TYPE_NESTED_TYPE = 1\nuint8 FIELD_TYPE_INT8 = 2\nuint8 FIELD_TYPE_UINT8 = 3\nuint8 FIELD_TYPE_INT16 = 4\nuint8 FIELD_TYPE_UINT16 = 5\nuint8 FIELD_TYPE_INT32 = 6\nuint8 FIELD_TYPE_UINT32 = 7\nuint8 FIELD_TYPE_INT64 = 8\nuint8 FIELD_TYPE_UINT64 = 9\nuint8 FIELD_TYPE_FLOAT = 10\nuint8 FIELD_TYPE_DOUBLE = 11\nuint8 FIELD_TYPE_LONG_DOUBLE = 12\nuint8 FIELD_TYPE_CHAR = 13\nuint8 FIELD_TYPE_WCHAR = 14\nuint8 FIELD_TYPE_BOOLEAN = 15\nuint8 FIELD_TYPE_BYTE = 16\nuint8 FIELD_TYPE_STRING = 17\nuint8 FIELD_TYPE_WSTRING = 18\nuint8 FIELD_TYPE_FIXED_STRING = 19\nuint8 FIELD_TYPE_FIXED_WSTRING = 20\nuint8 FIELD_TYPE_BOUNDED_STRING = 21\nuint8 FIELD_TYPE_BOUNDED_WSTRING = 22\nuint8 FIELD_TYPE_NESTED_TYPE_ARRAY = 49\nuint8 FIELD_TYPE_INT8_ARRAY = 50\nuint8 FIELD_TYPE_UINT8_ARRAY = 51\nuint8 FIELD_TYPE_INT16_ARRAY = 52\nuint8 FIELD_TYPE_UINT16_ARRAY = 53\nuint8 FIELD_TYPE_INT32_ARRAY = 54\nuint8 FIELD_TYPE_UINT32_ARRAY = 55\nuint8 FIELD_TYPE_INT64_ARRAY = 56\nuint8 FIELD_TYPE_UINT64_ARRAY = 57\nuint8 FIELD_TYPE_FLOAT_ARRAY = 58\nuint8 FIELD_TYPE_DOUBLE_ARRAY = 59\nuint8 FIELD_TYPE_LONG_DOUBLE_ARRAY = 60\nuint8 FIELD_TYPE_CHAR_ARRAY = 61\nuint8 FIELD_TYPE_WCHAR_ARRAY = 62\nuint8 FIELD_TYPE_BOOLEAN_ARRAY = 63\nuint8 FIELD_TYPE_BYTE_ARRAY = 64\nuint8 FIELD_TYPE_STRING_ARRAY = 65\nuint8 FIELD_TYPE_WSTRING_ARRAY = 66\nuint8 FIELD_TYPE_FIXED_STRING_ARRAY = 67\nuint8 FIELD_TYPE_FIXED_WSTRING_ARRAY = 68\nuint8 FIELD_TYPE_BOUNDED_STRING_ARRAY = 69\nuint8 FIELD_TYPE_BOUNDED_WSTRING_ARRAY = 70\nuint8 FIELD_TYPE_NESTED_TYPE_BOUNDED_SEQUENCE = 97\nuint8 FIELD_TYPE_INT8_BOUNDED_SEQUENCE = 98\nuint8 FIELD_TYPE_UINT8_BOUNDED_SEQUENCE = 99\nuint8 FIELD_TYPE_INT16_BOUNDED_SEQUENCE = 100\nuint8 FIELD_TYPE_UINT16_BOUNDED_SEQUENCE = 101\nuint8 FIELD_TYPE_INT32_BOUNDED_SEQUENCE = 102\nuint8 FIELD_TYPE_UINT32_BOUNDED_SEQUENCE = 103\nuint8 FIELD_TYPE_INT64_BOUNDED_SEQUENCE = 104\nuint8 FIELD_TYPE_UINT64_BOUNDED_SEQUENCE = 105\nuint8 FIELD_TYPE_FLOAT_BOUNDED_SEQUENCE = 106\nuint8 FIELD_TYPE_DOUBLE_BOUNDED_SEQUENCE = 107\nuint8 FIELD_TYPE_LONG_DOUBLE_BOUNDED_SEQUENCE = 108\nuint8 FIELD_TYPE_CHAR_BOUNDED_SEQUENCE = 109\nuint8 FIELD_TYPE_WCHAR_BOUNDED_SEQUENCE = 110\nuint8 FIELD_TYPE_BOOLEAN_BOUNDED_SEQUENCE = 111\nuint8 FIELD_TYPE_BYTE_BOUNDED_SEQUENCE = 112\nuint8 FIELD_TYPE_STRING_BOUNDED_SEQUENCE = 113\nuint8 FIELD_TYPE_WSTRING_BOUNDED_SEQUENCE = 114\nuint8 FIELD_TYPE_FIXED_STRING_BOUNDED_SEQUENCE = 115\nuint8 FIELD_TYPE_FIXED_WSTRING_BOUNDED_SEQUENCE = 116\nuint8 FIELD_TYPE_BOUNDED_STRING_BOUNDED_SEQUENCE = 117\nuint8 FIELD_TYPE_BOUNDED_WSTRING_BOUNDED_SEQUENCE = 118\nuint8 FIELD_TYPE_NESTED_TYPE_UNBOUNDED_SEQUENCE = 145\nuint8 FIELD_TYPE_INT8_UNBOUNDED_SEQUENCE = 146\nuint8 FIELD_TYPE_UINT8_UNBOUNDED_SEQUENCE = 147\nuint8 FIELD_TYPE_INT16_UNBOUNDED_SEQUENCE = 148\nuint8 FIELD_TYPE_UINT16_UNBOUNDED_SEQUENCE = 149\nuint8 FIELD_TYPE_INT32_UNBOUNDED_SEQUENCE = 150\nuint8 FIELD_TYPE_UINT32_UNBOUNDED_SEQUENCE = 151\nuint8 FIELD_TYPE_INT64_UNBOUNDED_SEQUENCE = 152\nuint8 FIELD_TYPE_UINT64_UNBOUNDED_SEQUENCE = 153\nuint8 FIELD_TYPE_FLOAT_UNBOUNDED_SEQUENCE = 154\nuint8 FIELD_TYPE_DOUBLE_UNBOUNDED_SEQUENCE = 155\nuint8 FIELD_TYPE_LONG_DOUBLE_UNBOUNDED_SEQUENCE = 156\nuint8 FIELD_TYPE_CHAR_UNBOUNDED_SEQUENCE = 157\nuint8 FIELD_TYPE_WCHAR_UNBOUNDED_SEQUENCE = 158\nuint8 FIELD_TYPE_BOOLEAN_UNBOUNDED_SEQUENCE = 159\nuint8 FIELD_TYPE_BYTE_UNBOUNDED_SEQUENCE = 160\nuint8 FIELD_TYPE_STRING_UNBOUNDED_SEQUENCE = 161\nuint8 FIELD_TYPE_WSTRING_UNBOUNDED_SEQUENCE = 162\nuint8 FIELD_TYPE_FIXED_STRING_UNBOUNDED_SEQUENCE = 163\nuint8 FIELD_TYPE_FIXED_WSTRING_UNBOUNDED_SEQUENCE = 164\nuint8 FIELD_TYPE_BOUNDED_STRING_UNBOUNDED_SEQUENCE = 165\nuint8 FIELD_TYPE_BOUNDED_WSTRING_UNBOUNDED_SEQUENCE = 166\nuint8 type_id 0\nuint64 capacity\nuint64 string_capacity\nstring<=255 nested_type_name",
  "type_description_interfaces/msg/IndividualTypeDescription": "string<=255 type_name\nField[] fields",
  "type_description_interfaces/msg/KeyValue": "string key\nstring value",
  "type_description_interfaces/msg/TypeDescription":
    "IndividualTypeDescription type_description\nIndividualTypeDescription[] referenced_type_descriptions",
  "type_description_interfaces/msg/TypeSource": "string type_name\nstring encoding\nstring raw_file_contents",
  "type_description_interfaces/srv/GetTypeDescription":
    "string type_name\nstring type_hash\nbool include_type_sources true\n---\nbool successful\nstring failure_reason\nTypeDescription type_description\nTypeSource[] type_sources\nKeyValue[] extra_information",
};
