/** What a parsed ROS interface is; a message's fields keep their names of the `.msg` file. */

/** Built-in types of the ROS interface definition language. */
export type PrimitiveName =
  | "bool"
  | "byte"
  | "char"
  | "float32"
  | "float64"
  | "int8"
  | "uint8"
  | "int16"
  | "uint16"
  | "int32"
  | "uint32"
  | "int64"
  | "uint64"
  | "string"
  | "wstring";

/** A constant's or a default's value; int64 and uint64 are `bigint`. */
export type FieldValue = boolean | number | bigint | string | readonly (boolean | number | bigint | string)[];

/** One field of a message. */
export interface FieldDefinition {
  readonly name: string;
  /** A primitive's name, or the full name of a message such as `geometry_msgs/msg/Point`. */
  readonly type: string;
  /** Set where `type` names a message. */
  readonly isMessage: boolean;
  /** `T[N]` has a length, `T[<=N]` a bound, `T[]` neither; absent for a single value. */
  readonly array?: { readonly length?: number; readonly bound?: number };
  /** `string<=N`: most characters. */
  readonly stringBound?: number;
  readonly defaultValue?: FieldValue;
}

export interface ConstantDefinition {
  readonly name: string;
  readonly type: PrimitiveName;
  readonly value: boolean | number | bigint | string;
}

/** One message, parsed; `name` is full: `std_msgs/msg/String`, or `pkg/srv/Name_Request` for a part of a service. */
export interface MessageDefinition {
  readonly name: string;
  readonly fields: readonly FieldDefinition[];
  readonly constants: readonly ConstantDefinition[];
  /** The `.msg` text that it was made from. */
  readonly text: string;
}

/**
 * What a message may be made from: any field may be missing, an array may be a plain one where the message holds a
 * typed array, a 64-bit integer may be a `number` that is a safe integer.
 */
export type MessageInit<M> = M extends bigint
  ? bigint | number
  : M extends ArrayBufferView
    ? M | readonly (M extends BigInt64Array | BigUint64Array ? bigint | number : number)[]
    : M extends readonly (infer E)[]
      ? readonly MessageInit<E>[]
      : M extends object
        ? { readonly [Field in keyof M]?: MessageInit<M[Field]> }
        : M;

/** A message's type as a value: what `createPublisher` is given. `M` is the message's TypeScript type. */
export interface MessageType<M = unknown> {
  readonly kind: "msg";
  readonly name: string;
  readonly definition: MessageDefinition;
  /** The definitions of every message nested in this one, by full name, itself included. */
  readonly dependencies: ReadonlyMap<string, MessageDefinition>;
  /** The `.msg` file's constants by name. */
  readonly constants: Readonly<Record<string, boolean | number | bigint | string>>;
  /**
   * A whole message that shares no memory with `fields`: given fields checked, missing ones at their default or
   * zero, numeric arrays typed arrays, float32 values rounded to one.
   * @throws TypeError that names the message, the field's path and what was given
   */
  create(fields?: MessageInit<M>): M;
  /** @internal carries the type only */
  readonly __message?: M;
}

export interface ServiceType<Request = unknown, Response = unknown> {
  readonly kind: "srv";
  readonly name: string;
  readonly request: MessageType<Request>;
  readonly response: MessageType<Response>;
}

export interface ActionType<Goal = unknown, Result = unknown, Feedback = unknown> {
  readonly kind: "action";
  readonly name: string;
  readonly goal: MessageType<Goal>;
  readonly result: MessageType<Result>;
  readonly feedback: MessageType<Feedback>;
  /** `pkg/action/Name_SendGoal`: request `goal_id`, `goal`; response `accepted`, `stamp`. */
  readonly sendGoal: ServiceType<
    { goal_id: Uuid; goal: Goal },
    { accepted: boolean; stamp: { sec: number; nanosec: number } }
  >;
  /** `pkg/action/Name_GetResult`: request `goal_id`; response `status`, `result`. */
  readonly getResult: ServiceType<{ goal_id: Uuid }, { status: number; result: Result }>;
  /** `pkg/action/Name_FeedbackMessage`: `goal_id`, `feedback`. */
  readonly feedbackMessage: MessageType<{ goal_id: Uuid; feedback: Feedback }>;
}

/** `unique_identifier_msgs/msg/UUID`: 16 bytes. */
export interface Uuid {
  uuid: Uint8Array;
}
