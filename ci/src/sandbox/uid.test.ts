/** At the level `uid` a box shares `/tmp` with everybody: what it plants there must reach nobody. */
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { SYSTEM_PATH } from "./ladder.js";
import { DEFAULT_BOX_LIMITS } from "./limits.js";
import { BoxProcess } from "./process.js";
import { uid } from "./uid.js";
import { packageFolders, viewFor } from "./view.js";

const STRANGER = 63_999;
const made: string[] = [];

afterEach(() => {
  for (const folder of made.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function folder(mode: number): string {
  const path = mkdtempSync(join(realpathSync(tmpdir()), "mlsys-test-"));
  made.push(path);
  chmodSync(path, mode);
  return path;
}

describe.skipIf(process.getuid?.() !== 0)("what strangers leave where all may write", () => {
  it.each([
    ["a stranger's, where all may write", 0o1777, STRANGER, false],
    ["ours, where all may write", 0o1777, 0, true],
    ["another user's, where only its owner may write", 0o755, STRANGER, true],
  ])("node_modules that are %s", (_, mode, owner, trusted) => {
    const above = folder(mode);
    const packages = join(above, "node_modules");
    for (const path of [packages, join(above, "course")]) mkdirSync(path);
    chownSync(packages, owner, owner);
    expect(packageFolders(join(above, "course")).includes(packages)).toBe(trusted);
    expect(viewFor(join(above, "course")).readable.includes(packages)).toBe(trusted);
  });

  it("is removed when the box ends, and what others have there is kept", async () => {
    const kept = folder(0o755);
    const planted = `${kept}-planted`;
    const code = `require("fs").mkdirSync(${JSON.stringify(join(planted, "node_modules"))}, { recursive: true }); console.log("planted");`;
    const box = BoxProcess.start(uid, {
      argv: [process.execPath, "-e", code],
      env: { PATH: SYSTEM_PATH },
      view: viewFor(kept),
      limits: DEFAULT_BOX_LIMITS,
    });
    const said = await new Promise((resolve) => box.stdout.once("data", resolve));
    expect(String(said), box.errorText).toBe("planted\n");
    await box.exited;
    expect(existsSync(planted), basename(planted)).toBe(true);
    await box.kill();
    expect([existsSync(planted), existsSync(kept)]).toEqual([false, true]);
  }, 60_000);
});
