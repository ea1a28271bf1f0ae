import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { scratchFolder } from "../../test/support/course.js";
import { createGroup, ownerOf, sweepGroups } from "./cgroup.js";
import { DEFAULT_BOX_LIMITS } from "./limits.js";

const folder = scratchFolder(afterAll);
const limits = { ...DEFAULT_BOX_LIMITS, memoryBytes: 100 * 1024 ** 2, processes: 20, cpus: 0.5 };

describe("control groups", () => {
  it("keeps a real process within its memory, knows why it ended, and leaves nothing", async () => {
    const group = createGroup(limits);
    if (!group) {
      console.log("control groups: this machine lets us make none, the test did not run");
      return;
    }
    const script =
      'for f in "$@"; do echo 0 > "$f" || exit 9; done; exec "$0" -e "const a=[];for(;;)a.push(Buffer.alloc(2**24,1))"';
    const child = spawn("/bin/sh", ["-c", script, process.execPath, ...group.joinFiles]);
    const code = await new Promise((resolve) =>
      child.once("exit", (exit, signal) => resolve(signal ?? exit)),
    );
    expect(code).toBe("SIGKILL");
    expect(group.usage()).toMatchObject({ oomKills: 1 });
    expect(group.usage().cpuMs).toBeGreaterThan(0);
    await group.destroy();
    for (const file of group.joinFiles) expect(existsSync(dirname(file))).toBe(false);
  }, 60_000);

  it("writes version 2 limits where its controllers are", () => {
    const mount = join(folder, "v2");
    const own = join(mount, "user.slice");
    mkdirSync(own, { recursive: true });
    writeFileSync(join(mount, "cgroup.controllers"), "cpu memory pids");
    writeFileSync(join(folder, "self"), "0::/user.slice\n");
    // Files appear in a real group as it is made; here a group without them must be refused.
    expect(createGroup(limits, { mount, self: join(folder, "self") })).toBeUndefined();
    expect(readdirSync(own)).toEqual(["cgroup.subtree_control"]);
    expect(readFileSync(join(own, "cgroup.subtree_control"), "utf8")).toBe("+cpu");
  });

  it("is not made where there are none", () => {
    expect(
      createGroup(limits, { mount: join(folder, "nowhere"), self: join(folder, "nobody") }),
    ).toBeUndefined();
  });

  it("finds the groups of graders that are gone", async () => {
    const mount = join(folder, "v1");
    for (const name of ["mlsys-box-111-1", "mlsys-box-222-9", "mlsys-box-x", "other"])
      mkdirSync(join(mount, "memory", name), { recursive: true });
    writeFileSync(join(folder, "self1"), "4:memory:/\n");
    await sweepGroups((pid) => pid === 111, { mount, self: join(folder, "self1") });
    expect(readdirSync(join(mount, "memory")).sort()).toEqual(["mlsys-box-222-9", "mlsys-box-x", "other"]);
    expect(ownerOf("mlsys-box-7-3")).toBe(7);
    expect(ownerOf("mlsys-boxer")).toBeUndefined();
  });
});
