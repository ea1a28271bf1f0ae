/** `mlsys ros generate`: what it writes compiles, runs and knows its types. */
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import ts from "typescript";
import { afterAll, beforeAll, expect, test } from "vitest";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const bin = here("../../bin/mlsys.mjs");
let folder: string;

const FILES = {
  "package.xml": '<package format="3"><name>spot_interfaces</name><version>1.2.3</version></package>',
  "msg/Spot.msg":
    "# A place that was seen.\nuint8 KIND_TREE=1\nuint8 KIND_ROCK=2\ngeometry_msgs/Point at # in the map [m]\nfloat32 weight 1.0\nuint8 kind",
  "msg/List.msg": "Spot[] spots\nstring<=20 name",
  "srv/Find.srv": "Spot near\n---\nint8 NONE=0\nList found\nbuiltin_interfaces/Time when",
  "action/Visit.action": "List visit\n---\nbool ok\n---\nSpot at",
};

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "mlsys-generate-"));
  for (const kind of ["msg", "srv", "action"]) mkdirSync(join(folder, "pkg", kind), { recursive: true });
  for (const [path, text] of Object.entries(FILES)) writeFileSync(join(folder, "pkg", path), text);
  symlinkSync(here("../../../node_modules"), join(folder, "node_modules"));
  execFileSync(process.execPath, [bin, "ros", "generate", join(folder, "pkg"), "--out", join(folder, "out")]);
});
afterAll(() => rmSync(folder, { recursive: true }));

const PROGRAM = `
import { Find, List, Spot, Visit, type Find_Request } from "./spot_interfaces.js";
import { msg, srv, action } from "mlsys/ros";
const spot: Spot = Spot.create({ at: { x: 1 }, kind: Spot.KIND_ROCK });
const list: List = msg("spot_interfaces/msg/List").create({ spots: [spot] });
const request: Find_Request = srv("spot_interfaces/srv/Find").request.create({ near: spot });
const goal: List = action("spot_interfaces/action/Visit").goal.create({ visit: list }).visit;
const kind: 2 = Spot.KIND_ROCK;
const uses = [Find, List, Visit, request, goal, kind];
// @ts-expect-error: a field of another type
Spot.create({ weight: "heavy" });
// @ts-expect-error: no such message
msg("spot_interfaces/msg/Spott");
export default uses;
`;

test("its types hold", () => {
  const file = join(folder, "out", "program.ts");
  writeFileSync(file, PROGRAM);
  const program = ts.createProgram([file], {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    preserveSymlinks: true,
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    types: [],
  });
  const said = ts
    .getPreEmitDiagnostics(program)
    .map(
      (d) => `${d.file?.fileName.split("/").at(-1)}: ${ts.flattenDiagnosticMessageText(d.messageText, "\n")}`,
    );
  expect(said).toEqual([]);
});

test("it runs", async () => {
  const source = ts.sys.readFile(join(folder, "out", "spot_interfaces.ts"))!;
  const { outputText } = ts.transpileModule(source, {
    compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023 },
  });
  const path = join(folder, "out", "spot_interfaces.mjs");
  writeFileSync(path, outputText);
  const code = `import { Spot, List, Visit, Find_Response } from ${JSON.stringify(pathToFileURL(path).href)};
    const made = List.create({ name: "a", spots: [{ kind: Spot.KIND_TREE, at: { y: 2 } }] });
    console.log(JSON.stringify([made, Visit.feedback.create(), Find_Response.NONE]));`;
  const out = execFileSync(process.execPath, ["--input-type=module", "-e", code], { encoding: "utf8" });
  const spot = { at: { x: 0, y: 0, z: 0 }, weight: 1, kind: 0 };
  expect(JSON.parse(out)).toEqual([
    { spots: [{ ...spot, at: { x: 0, y: 2, z: 0 }, kind: 1 }], name: "a" },
    { at: spot },
    0,
  ]);
});

test("--check tells whether the modules are up to date", () => {
  const check = (pkg: string) =>
    spawnSync(process.execPath, [bin, "ros", "generate", pkg, "--out", join(folder, "out"), "--check"], {
      encoding: "utf8",
      env: { ...process.env, NO_COLOR: "1" },
    });
  expect(check(join(folder, "pkg"))).toMatchObject({ status: 0, stdout: "", stderr: "" });
  cpSync(join(folder, "pkg"), join(folder, "changed"), { recursive: true });
  writeFileSync(join(folder, "changed", "msg", "Spot.msg"), "int8 x");
  const changed = check(join(folder, "changed"));
  expect(changed.status).toBe(1);
  expect(changed.stderr).toContain("not up to date");
  const wrong = check(join(folder, "pkg", "msg"));
  expect(wrong.status).toBe(1);
  expect(wrong.stderr).toMatch(/^mlsys: .*is no package: it has no package.xml\n$/);
});
