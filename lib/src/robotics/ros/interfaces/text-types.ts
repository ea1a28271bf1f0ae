/**
 * From interface text to TypeScript types, by the compiler: `"string str1\nstring str2\n---\nstring ret"` is
 * `{ request: { str1: string; str2: string }; response: { ret: string } }`. Lines become pairs of a name and a type
 * in one pass (tail calls: up to 1,000 lines); the runtime parser is the one that complains of wrong text.
 */
import type { MessageType } from "./types.js";

/** TypeScript's type of one value of a built-in ROS type. */
export interface PrimitiveTypes {
  bool: boolean;
  byte: number;
  char: number;
  float32: number;
  float64: number;
  int8: number;
  uint8: number;
  int16: number;
  uint16: number;
  int32: number;
  uint32: number;
  int64: bigint;
  uint64: bigint;
  string: string;
  wstring: string;
}

/** TypeScript's type of an array of a built-in ROS type. */
export interface ArrayTypes {
  bool: boolean[];
  byte: Uint8Array;
  char: Uint8Array;
  float32: Float32Array;
  float64: Float64Array;
  int8: Int8Array;
  uint8: Uint8Array;
  int16: Int16Array;
  uint16: Uint16Array;
  int32: Int32Array;
  uint32: Uint32Array;
  int64: BigInt64Array;
  uint64: BigUint64Array;
  string: string[];
  wstring: string[];
}

/** A message type that carries its name in its TypeScript type. */
export type NamedMessageType<Name extends string = string, M = unknown> = MessageType<M> & {
  readonly name: Name;
};

/** What a text's nested messages are looked up in: `Known` by full name, then the types given beside it. */
export interface TextScope {
  package: string;
  known: object;
  uses: NamedMessageType;
}

/** The package of a full name. */
export type PackageOf<Name extends string> = Name extends `${infer P}/${string}` ? P : string;

/** The message that `.msg` text defines. Text that is not a literal gives a record of unknown values. */
export type MessageOf<Text extends string, Scope extends TextScope> = string extends Text
  ? Record<string, unknown>
  : FromPairs<Pairs<Text, Scope>>;

/** The parts of `.srv` text. */
export type ServiceOf<Text extends string, Scope extends TextScope> =
  Split<Text> extends [infer Request extends string, infer Response extends string]
    ? { request: MessageOf<Request, Scope>; response: MessageOf<Response, Scope> }
    : string extends Text
      ? { request: Record<string, unknown>; response: Record<string, unknown> }
      : never;

/** The parts of `.action` text. */
export type ActionOf<Text extends string, Scope extends TextScope> =
  Split<Text> extends [infer Goal extends string, infer Result extends string, infer Feedback extends string]
    ? {
        goal: MessageOf<Goal, Scope>;
        result: MessageOf<Result, Scope>;
        feedback: MessageOf<Feedback, Scope>;
      }
    : string extends Text
      ? {
          goal: Record<string, unknown>;
          result: Record<string, unknown>;
          feedback: Record<string, unknown>;
        }
      : never;

/** Text at its lines `---`; a first or last part may be empty. */
type Split<Text extends string> = `\n${Text}\n` extends `${infer A}\n---${infer Rest}`
  ? Rest extends `${infer B}\n---${infer C}`
    ? [A, B, C]
    : [A, Rest]
  : [Text];

type FromPairs<Fields extends [string, unknown]> = [Fields] extends [never]
  ? Record<string, never>
  : { [Field in Fields as Field[0]]: Field[1] };

type Pairs<
  Text extends string,
  Scope extends TextScope,
  Made extends [string, unknown] = never,
> = Text extends `${infer Line}\n${infer Rest}`
  ? Pairs<Rest, Scope, Made | Pair<Trim<Spaced<Code<Line>>>, Scope>>
  : Made | Pair<Trim<Spaced<Code<Text>>>, Scope>;

type Code<Line extends string> = Line extends `${infer Before}#${string}` ? Before : Line;

type Spaced<Line extends string> = Line extends `${infer A}\t${infer B}` ? Spaced<`${A} ${B}`> : Line;

type Blank = " " | "\r";
type Trim<S extends string> = S extends `${Blank}${infer R}`
  ? Trim<R>
  : S extends `${infer R}${Blank}`
    ? Trim<R>
    : S;

/** One line: a field's pair, or never for a constant or nothing. */
type Pair<Line extends string, Scope extends TextScope> = Line extends `${infer Type} ${infer Rest}`
  ? Rest extends `${string}=${string}`
    ? never
    : [FirstWord<Trim<Rest>>, FieldType<Type, Scope>]
  : never;

type FirstWord<S extends string> = S extends `${infer Word} ${string}` ? Word : S;

type FieldType<Type extends string, Scope extends TextScope> = Type extends `${infer Element}[${string}`
  ? Unbounded<Element> extends keyof ArrayTypes
    ? ArrayTypes[Unbounded<Element>]
    : Nested<Element, Scope>[]
  : Unbounded<Type> extends keyof PrimitiveTypes
    ? PrimitiveTypes[Unbounded<Type>]
    : Nested<Type, Scope>;

type Unbounded<Type extends string> = Type extends `${infer Base}<=${string}` ? Base : Type;

type Nested<Type extends string, Scope extends TextScope> = Lookup<
  Type extends `${string}/msg/${string}`
    ? Type
    : Type extends `${infer Package}/${infer Base}`
      ? `${Package}/msg/${Base}`
      : `${Scope["package"]}/msg/${Type}`,
  Scope
>;

type Lookup<Name extends string, Scope extends TextScope> =
  Extract<Scope["uses"], { readonly name: Name }> extends MessageType<infer M>
    ? unknown extends M
      ? Name extends keyof Scope["known"]
        ? Scope["known"][Name]
        : unknown
      : M
    : Name extends keyof Scope["known"]
      ? Scope["known"][Name]
      : unknown;
