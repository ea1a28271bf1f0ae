/** `mlsys ros`: what it finds, what it says when something is missing, how it goes on. Nothing is installed here. */
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { releaseNumber } from "../../src/cli/ros/addon.js";
import { compileAll } from "../../src/cli/ros/compile.js";
import { once } from "../../src/cli/ros/done.js";
import { installRos } from "../../src/cli/ros/install.js";
import { inOrder, readPackage } from "../../src/cli/ros/packages.js";
import { findPython, PYTHONS } from "../../src/cli/ros/python.js";
import {
  interfacePackages,
  libraryFolders,
  type RosInstallation,
  rosHome,
  rosInstallationAt,
  sourcedRos,
} from "../../src/robotics/ros/rcl/place.js";
import { mlsys } from "../support/cli.js";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "mlsys-ros-"));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

function write(files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    const file = join(folder, name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
}
const program = (name: string, script: string): string => {
  write({ [name]: `#!/bin/sh\n${script}\n` });
  chmodSync(join(folder, name), 0o755);
  return join(folder, name);
};
const never = new AbortController().signal;

describe("packages of interfaces", () => {
  it("have the name of their package.xml, else of their folder, and name those that they need", () => {
    write({
      "spots/msg/Spot.msg":
        "# other/Thing in a comment\nstd_msgs/Header header\ngeometry_msgs/msg/Point[<=3] at # x\n",
      "spots/srv/Find.srv": "string name\n---\nSpot spot\n",
      "spots/README.md": "",
      "named/package.xml": "<package>\n <name>other_name</name></package>",
      "named/action/Go.action": "spots/Spot to\n---\n---\n",
    });
    expect(readPackage(join(folder, "spots"))).toEqual({
      name: "spots",
      folder: join(folder, "spots"),
      files: ["msg/Spot.msg", "srv/Find.srv"],
      dependencies: ["builtin_interfaces", "geometry_msgs", "service_msgs", "std_msgs"],
    });
    expect(readPackage(join(folder, "named"))).toMatchObject({
      name: "other_name",
      dependencies: ["action_msgs", "builtin_interfaces", "service_msgs", "spots", "unique_identifier_msgs"],
    });
  });

  it("are refused with the reason", () => {
    write({ "My-Package/msg/A.msg": "", "double__under/msg/A.msg": "", "empty/notes.txt": "" });
    expect(() => readPackage(join(folder, "nowhere"))).toThrow(
      `There is no folder ${join(folder, "nowhere")}.`,
    );
    expect(() => readPackage(join(folder, "My-Package"))).toThrow('"My-Package" is no name of a package');
    expect(() => readPackage(join(folder, "double__under"))).toThrow("is no name of a package");
    expect(() => readPackage(join(folder, "empty"))).toThrow(
      "has no definitions: they are looked for in msg/*.msg",
    );
  });

  it("are built after those that they need", () => {
    const one = (name: string, dependencies: string[]) => ({ name, folder, files: [], dependencies });
    const [a, b, c] = [one("a", ["b", "std_msgs"]), one("b", ["c"]), one("c", [])];
    const known = new Map([["std_msgs", "/opt"]]);
    expect(inOrder([a, b, c], known)).toEqual([c, b, a]);
    expect(() => inOrder([a, b], known)).toThrow("b needs the package c, which is not installed");
    expect(() => inOrder([one("x", ["y"]), one("y", ["x"])], known)).toThrow("x → y → x");
  });
});

describe("parts of an installation", () => {
  it("are done once for a request, and again for another, in another place, or after a failure", async () => {
    let count = 0;
    const work = async () => void count++;
    const home = join(folder, "home");
    expect(await once(home, "part", "a", work)).toBe(true);
    expect(await once(home, "part", "a", work)).toBe(false);
    expect(await once(home, "part", "b", work)).toBe(true);
    await expect(once(home, "part", "c", () => Promise.reject(new Error("no")))).rejects.toThrow("no");
    expect(await once(home, "part", "b", work)).toBe(true); // what failed has overwritten it
    const moved = join(folder, "moved");
    renameSync(home, moved);
    expect(await once(moved, "part", "b", work)).toBe(true);
    expect(count).toBe(4);
  });

  it("compile what is newer than its object, and leave none of what failed", async () => {
    const log = join(folder, "log");
    const compiler = program(
      "compiler",
      `case "$*" in *bad.c*) echo "bad.c: fatal error: rcl/rcl.h: No such file" >&2; exit 1;; esac
for last; do :; done; echo x >> ${log}; : > "$last"`,
    );
    write({ "a.c": "", "b.cpp": "", "bad.c": "" });
    const options = { compiler, include: [], flags: [], cwd: folder, signal: never };
    const objects = join(folder, "objects");
    const made = await compileAll("two", ["a.c", "b.cpp"], objects, options);
    expect(made).toEqual([join(objects, "a.c.o"), join(objects, "b.cpp.o")]);
    await compileAll("two", ["a.c", "b.cpp"], objects, options);
    expect(readFileSync(log, "utf8")).toBe("x\nx\n");
    utimesSync(join(folder, "a.c"), new Date(), new Date(Date.now() + 60_000));
    await compileAll("one", ["a.c", "b.cpp"], objects, options);
    expect(readFileSync(log, "utf8")).toBe("x\nx\nx\n");
    await expect(compileAll("bad", ["bad.c"], objects, options)).rejects.toThrow(
      "misses rcl/rcl.h: ROS 2's headers are not whole",
    );
    expect(readdirSync(objects).filter((name) => name.startsWith("bad"))).toEqual([]);
  });
});

describe("the place", () => {
  const ros = (home: string): RosInstallation => ({
    ...{ home, distro: "kilted", source: "pypi", prefixes: [join(home, "env")], target: join(home, "env") },
    ...{ python: "python", rclnodejs: "", addon: "", request: "" },
  });

  it("is whole only where it was made", () => {
    const home = join(folder, "home");
    expect(rosInstallationAt(home)).toBeNull();
    write({ "home/installed.json": "{ cut" });
    expect(rosInstallationAt(home)).toBeNull();
    write({ "home/installed.json": JSON.stringify(ros(home)) });
    expect(rosInstallationAt(home)).toEqual(ros(home));
    renameSync(home, join(folder, "moved"));
    expect(rosInstallationAt(join(folder, "moved"))).toBeNull();
  });

  it("depends on the environment: named, sourced, or the cache", () => {
    write({ "opt/include/rcl/rcl.h": "" });
    const sourced = { ROS_DISTRO: "jazzy", AMENT_PREFIX_PATH: `${folder}/ws:${folder}/opt` };
    expect(sourcedRos(sourced)).toEqual({ distro: "jazzy", prefixes: [`${folder}/ws`, `${folder}/opt`] });
    expect(sourcedRos({ ...sourced, AMENT_PREFIX_PATH: `${folder}/ws` })).toBeNull();
    expect(sourcedRos({ AMENT_PREFIX_PATH: `${folder}/opt` })).toBeNull();
    vi.stubEnv("MLSYS_CACHE", join(folder, "cache"));
    expect(rosHome({})).toBe(join(folder, "cache", "ros", "pypi"));
    expect(rosHome(sourced)).toBe(join(folder, "cache", "ros", "jazzy"));
    expect(rosHome({ ...sourced, MLSYS_ROS_HOME: "/mine" })).toBe("/mine");
  });

  it("tells interface packages, the first prefix's first, and where libraries lie", () => {
    const index = "share/ament_index/resource_index/rosidl_interfaces";
    write({
      [`over/${index}/mine`]: "",
      [`under/${index}/mine`]: "",
      [`under/${index}/std_msgs`]: "",
      "under/lib/python3.11/site-packages/ros_rcl.libs/libyaml.so": "",
      "under/lib/python3.11/site-packages/numpy.libs/libgfortran.so": "",
    });
    const [over, under] = [join(folder, "over"), join(folder, "under")];
    expect([...interfacePackages([over, under, join(folder, "none")])]).toEqual([
      ["mine", over],
      ["std_msgs", under],
    ]);
    expect(libraryFolders(under)).toEqual([
      join(under, "lib"),
      join(under, "lib", "python3.11", "site-packages", "ros_rcl.libs"),
    ]);
  });
});

describe("what is missing", () => {
  const answer = (version: string, hasVenv: boolean) =>
    `echo '${JSON.stringify({ executable: "/usr/bin/python", version, hasVenv })}'`;

  it("is a Python: none, too old, or without venv", async () => {
    vi.stubEnv("MLSYS_PYTHON", join(folder, "none"));
    await expect(findPython()).rejects.toThrow(/Python 3\.10 to 3\.14 is needed .* was not found/);
    vi.stubEnv("MLSYS_PYTHON", program("old", answer("3.8", true)));
    await expect(findPython()).rejects.toThrow("are for CPython 3.10 to 3.14; found /usr/bin/python (3.8)");
    vi.stubEnv("MLSYS_PYTHON", program("bare", answer("3.12", false)));
    await expect(findPython()).rejects.toThrow(
      "lacks venv: install it (Debian, Ubuntu: apt install python3-venv)",
    );
    vi.stubEnv("MLSYS_PYTHON", program("good", answer("3.12", true)));
    expect((await findPython()).version).toBe("3.12");
    expect(PYTHONS).toContain("3.12");
  });

  it("is a compiler", async () => {
    vi.stubEnv("MLSYS_CXX", join(folder, "none"));
    const home = join(folder, "home");
    await expect(installRos({ home }, never)).rejects.toThrow("A C++ compiler is needed");
    expect(rosInstallationAt(home)).toBeNull();
  });

  it("is the network: pip's words are put into ours", async () => {
    vi.stubEnv("AMENT_PREFIX_PATH", "");
    vi.stubEnv("MLSYS_PYTHON", program("good", answer("3.12", true)));
    program("home/env/bin/python", 'echo "ERROR: Failed to establish a new connection" >&2; exit 1');
    vi.stubEnv("MLSYS_CXX", program("c++", "exit 0"));
    const home = join(folder, "home");
    await expect(installRos({ home }, never)).rejects.toThrow(
      "the package index cannot be reached. Connect, or set pip's index (PIP_INDEX_URL), and run the command again",
    );
  });

  it("is a release that rclnodejs serves", () => {
    expect(releaseNumber("kilted")).toBe(2505);
    expect(() => releaseNumber("humble")).toThrow('ROS 2 "humble" is not served; known to be: jazzy, kilted');
  });
});

describe("the command", () => {
  it("says what is there and what to do", { timeout: 180_000 }, async () => {
    const home = join(folder, "home");
    const doctor = await mlsys(["ros", "doctor", "--json", "--home", home]);
    expect(doctor.code).toBe(1);
    const findings = JSON.parse(doctor.out) as { what: string; state: string; detail: string }[];
    expect(findings.at(-1)).toEqual({
      what: "installation",
      state: "missing",
      detail: `not there (${home}): npx mlsys ros install`,
    });
    const check = await mlsys(["ros", "install", "--check", "--home", home]);
    expect(check).toMatchObject({ code: 1, out: "" });
    expect(check.err).toContain(`ROS 2 is not installed in ${home}; get it with: npx mlsys ros install`);
  });
});
