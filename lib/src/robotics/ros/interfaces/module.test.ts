import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, expect, test } from "vitest";
import { renderModule } from "./module.js";
import { readInterfacePackage } from "./package.js";
import { InterfaceError } from "./parse.js";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

function pkg(name: string, files: Record<string, string>, manifest = `<name>${name}</name>`): string {
  const folder = mkdtempSync(join(tmpdir(), "mlsys-interfaces-"));
  folders.push(folder);
  for (const [path, text] of Object.entries({ "package.xml": manifest, ...files })) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}
const render = (folder: string, others?: string[]) => renderModule(readInterfacePackage(folder), { others });

test("messages come before those that hold them, whatever their names", () => {
  const text = render(pkg("my_pkg", { "msg/A.msg": "B[] all", "msg/B.msg": "C one", "msg/C.msg": "int8 x" }));
  const at = ["C", "B", "A"].map((name) => text.indexOf(`export const ${name}:`));
  expect(at).toEqual([...at].sort((a, b) => a - b));
  expect(text).toContain('defineMessage("my_pkg/msg/A", "B[] all", [B])');
});

test("other packages: the common ones from the library, those beside by their modules", () => {
  const text = render(pkg("my_pkg", { "srv/S.srv": "geometry_msgs/Point p\nother_pkg/Thing t\n---" }), [
    "other_pkg",
  ]);
  expect(text).toContain('import { defineService, type geometry_msgs, type ServiceType } from "mlsys/ros";');
  expect(text).toContain('import * as other_pkg from "./other_pkg.js";');
  expect(text).toContain("[other_pkg.Thing]");
});

test("the case study's package", () => {
  const folder = fileURLToPath(new URL("../../../../assets/ros/my_interfaces", import.meta.url));
  expect(readInterfacePackage(folder).interfaces.map(({ name }) => name)).toEqual([
    "my_interfaces/srv/ConcatTwoStr",
    "my_interfaces/srv/IrisData",
    "my_interfaces/action/MySum",
  ]);
});

test.each<[string, Record<string, string>, string | undefined]>([
  ["holds my_pkg/msg/B, which the package has not", { "msg/A.msg": "B b" }, undefined],
  [
    "these interfaces hold each other: my_pkg/msg/A, my_pkg/msg/B",
    { "msg/A.msg": "B b", "msg/B.msg": "A a" },
    undefined,
  ],
  ["my_pkg uses no_pkg, which is not known: give its folder too", { "msg/A.msg": "no_pkg/B b" }, undefined],
  ["my_pkg/msg/A, line 2", { "msg/A.msg": "# x\nint8" }, undefined],
  ['"a" must be letters and digits, the first a capital', { "msg/a.msg": "int8 x" }, undefined],
  ["has no interfaces: expected msg/*.msg", {}, undefined],
  ["has no <name>", { "msg/A.msg": "" }, "<package><!-- <name>x</name> --></package>"],
])("refuses: %s", (said, files, manifest) => {
  const folder = pkg("my_pkg", files, manifest);
  expect(() => render(folder)).toThrow(InterfaceError);
  expect(() => render(folder)).toThrow(said);
});

test("a folder that is no package", () => {
  expect(() => readInterfacePackage(tmpdir())).toThrow("is no package: it has no package.xml");
});
