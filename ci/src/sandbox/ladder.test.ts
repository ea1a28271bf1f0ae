import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { LEVELS } from "./command.js";
import { chooseIsolation, tryLevel } from "./ladder.js";

const BUILT = fileURLToPath(new URL("../../dist/sandbox/ladder.js", import.meta.url));

/** What another process would be told. */
function refusal(call: string, env: NodeJS.ProcessEnv): string {
  const code = `import { chooseIsolation } from ${JSON.stringify(BUILT)}; try { await ${call}; console.log("chosen"); } catch (error) { console.log(error.message); }`;
  return execFileSync(process.execPath, ["--input-type=module", "-e", code], { encoding: "utf8", env });
}

describe("the ladder", () => {
  it("tries each level: works, or says why not", async () => {
    for (const level of LEVELS) {
      const { isolation, problem } = await tryLevel(level);
      console.log(`isolation ${level}: ${problem ?? "works"}`);
      if (isolation) {
        expect(isolation.level).toBe(level);
        if (level !== "none") expect(isolation.memory).not.toBe("no");
        expect(isolation.network).toBe(level === "bwrap" || level === "userns");
      } else expect(problem).toMatch(/\w{3}/);
    }
  }, 120_000);

  it("never falls to none by itself", async () => {
    await expect(chooseIsolation("none")).rejects.toThrow(/--unsafe/);
    expect((await chooseIsolation("none", { unsafe: true })).level).toBe("none");
  });

  it("says which programs are missing and how to get them", () => {
    const said = refusal('chooseIsolation("auto")', { PATH: "/nonexistent" });
    if (process.platform === "linux") {
      expect(said).toMatch(/no isolation for strangers' code works on this machine/);
      expect(said).toMatch(/bwrap, setpriv, prlimit not found: apt install bubblewrap util-linux/);
      expect(said).toMatch(/userns: unshare, setpriv/);
    } else expect(said).toMatch(/needs Linux/);
    expect(said).toMatch(/--unsafe/);
  }, 30_000);

  it("takes the level that is asked for, or refuses", () => {
    const said = refusal('chooseIsolation("bwrap", { unsafe: true })', { PATH: "/nonexistent" });
    expect(said).toMatch(/the isolation "bwrap" does not work on this machine/);
  }, 30_000);
});
