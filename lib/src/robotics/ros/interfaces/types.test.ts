/** The types that the compiler derives, told by the compiler itself: a wrong line is a diagnostic of this program. */
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { expect, test } from "vitest";

const PROGRAM = `
import { action, defineAction, defineMessage, defineService, msg, srv, type RosMessages } from "./registry.js";
import type { ActionType, MessageInit, MessageType, ServiceType } from "./types.js";
import type { geometry_msgs } from "./common/index.js";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
type Made<T> = T extends MessageType<infer M> ? M : never;
type Request<T> = T extends ServiceType<infer Q, infer _R> ? Q : never;
type Response<T> = T extends ServiceType<infer _Q, infer R> ? R : never;
const is = <T extends true>(_: T | "") => {};

// Common packages, by name
const scan = msg("sensor_msgs/msg/LaserScan").create({ header: { frame_id: "laser" }, ranges: [1, 2] });
is<Same<typeof scan.ranges, Float32Array>>("");
is<Same<typeof scan.header.stamp.nanosec, number>>("");
is<Same<RosMessages["geometry_msgs/msg/Pose"]["position"], geometry_msgs.Point>>("");
is<Same<Response<ReturnType<typeof concat>>, { ret: string }>>("");
const concat = () => defineService("p/srv/C", "string str1\\nstring str2\\n---\\nstring ret");
const trigger = srv("std_srvs/srv/Trigger");
is<Same<Response<typeof trigger>["success"], boolean>>("");
const sum = action("my_interfaces/action/MySum");
is<typeof sum extends ActionType<{ list: Int32Array }, { sum: number }, { sum_so_far: number }> ? true : false>("");
msg("std_msgs/msg/Int64").create({ data: 1 });
// @ts-expect-error: no such message
msg("std_msgs/msg/Strng");
// @ts-expect-error: a wrong type
msg("std_msgs/msg/String").create({ data: 1 });
// @ts-expect-error: a wrong field, deep
msg("geometry_msgs/msg/Twist").create({ linear: { xx: 1 } });
// @ts-expect-error: an empty message has no fields
msg("std_msgs/msg/Empty").create({ data: 1 });

// From text
const Thing = defineMessage("p/msg/Thing", \`
# a comment = nothing
uint8 KIND=1            # a constant
string NAME = "x y"
bool  ok true           # with a default
int64 big
string<=10 short "a b"
float64[3] fixed
int8[<=4] few
int64[] bigs
string<=5[<=2] words
geometry_msgs/Point at
geometry_msgs/msg/Point[] path
	uint16	tabbed
\`);
type Thing = Made<typeof Thing>;
is<Same<keyof Thing, "ok" | "big" | "short" | "fixed" | "few" | "bigs" | "words" | "at" | "path" | "tabbed">>("");
is<Same<Thing["ok"], boolean>>("");
is<Same<Thing["big"], bigint>>("");
is<Same<Thing["short"], string>>("");
is<Same<Thing["fixed"], Float64Array>>("");
is<Same<Thing["few"], Int8Array>>("");
is<Same<Thing["bigs"], BigInt64Array>>("");
is<Same<Thing["words"], string[]>>("");
is<Same<Thing["at"], geometry_msgs.Point>>("");
is<Same<Thing["path"], geometry_msgs.Point[]>>("");
is<Same<Thing["tabbed"], number>>("");
is<Same<typeof Thing.name, "p/msg/Thing">>("");
// Own messages inside others
const Pair = defineMessage("p/msg/Pair", "Thing[] things\\np/Thing one\\nq/Other other\\nstd_msgs/Header header", [Thing]);
is<Same<Made<typeof Pair>["things"], Thing[]>>("");
is<Same<Made<typeof Pair>["one"], Thing>>("");
is<Same<Made<typeof Pair>["other"], unknown>>("");
is<Same<Made<typeof Pair>["header"]["frame_id"], string>>("");
// Services and actions, also with empty parts
const Empty = defineService("p/srv/Empty", "---");
is<Same<Request<typeof Empty>, Record<string, never>>>("");
const Go = defineService("p/srv/Go", "Thing to\\n---\\n---".slice(0, 1) as "Thing to\\n---\\n", [Thing]);
is<Same<Request<typeof Go>, { to: Thing }>>("");
is<Same<Response<typeof Go>, Record<string, never>>>("");
const Count = defineAction("p/action/Count", "int32 to\\n---\\n---\\nint32 at # now");
is<typeof Count extends ActionType<{ to: number }, Record<string, never>, { at: number }> ? true : false>("");
is<Same<MessageInit<{ a: Float32Array; b: { c: bigint }[] }>["a"], Float32Array | readonly number[] | undefined>>("");
// Text known only while running
const loose = defineMessage("p/msg/Loose", String("int8 x"));
is<Same<Made<typeof loose>, Record<string, unknown>>>("");
// A type is assignable where any message will do
const any: MessageType = Thing;
const map: ServiceType = Empty;
void any; void map;
`;

/** The library's files are read once for both programs. */
const files = new Map<string, ts.SourceFile | undefined>();

function diagnose(text: string): string[] {
  const file = fileURLToPath(new URL("types-program.ts", import.meta.url));
  const options: ts.CompilerOptions = {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    lib: ["lib.es2023.d.ts"],
    types: [],
  };
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists } = host;
  host.getSourceFile = (name, ...rest) => {
    if (name === file) return ts.createSourceFile(name, text, rest[0]);
    if (!files.has(name)) files.set(name, getSourceFile(name, ...rest));
    return files.get(name);
  };
  host.fileExists = (name) => name === file || fileExists(name);
  const program = ts.createProgram([file], options, host);
  return program.getSemanticDiagnostics(program.getSourceFile(file)).map((diagnostic) => {
    const { line } = ts.getLineAndCharacterOfPosition(diagnostic.file!, diagnostic.start!);
    return `${text.split("\n")[line].trim()}: ${ts.flattenDiagnosticMessageText(diagnostic.messageText, "\n")}`;
  });
}

test("names and text give the types that they say", () => {
  expect(diagnose(PROGRAM)).toEqual([]);
  const wrong = `${PROGRAM}\nis<Same<Thing["big"], number>>("");\nThing.create({ few: "x" });`;
  expect(diagnose(wrong)).toHaveLength(2);
});
