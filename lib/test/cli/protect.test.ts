import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { mlsys } from "../support/cli.js";

/** Processes are started, and a busy machine takes its time. */
const PATIENT = 180_000;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "mlsys-protect-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe("mlsys protect", { timeout: PATIENT }, () => {
  it("makes keys, encrypts, gives another key, decrypts", async () => {
    const at = (name: string): string => join(folder, name);
    writeFileSync(at("plain"), "weights ".repeat(1000));
    const made = await mlsys(["protect", "key", at("a.key")]);
    expect(made).toMatchObject({ code: 0, err: "" });
    const from = ["--key-file", at("a.key")];
    expect(await mlsys(["protect", "encrypt", at("plain"), at("sealed"), ...from])).toMatchObject({
      code: 0,
    });
    expect(readFileSync(at("sealed")).includes("weights")).toBe(false);
    const shown = await mlsys(["protect", "show", at("sealed")]);
    expect(JSON.parse(shown.out)).toMatchObject({ keys: [{ kind: "key", id: made.out.trim() }] });
    const env = { SECRET: "a long passphrase" };
    const rekeyed = ["protect", "rekey", at("sealed"), ...from, "--to-passphrase-env", "SECRET"];
    expect(await mlsys(rekeyed, env)).toMatchObject({ code: 0 });
    const refused = await mlsys(["protect", "decrypt", at("sealed"), at("out"), ...from]);
    expect(refused.code).toBe(1);
    expect(refused.err).toMatch(/^mlsys: .*sealed: this key does not open it; a passphrase does\n$/);
    expect(existsSync(at("out"))).toBe(false);
    const opened = ["protect", "decrypt", at("sealed"), at("out"), "--passphrase-env", "SECRET"];
    expect(await mlsys(opened, env)).toMatchObject({ code: 0 });
    expect(readFileSync(at("out"), "utf8")).toBe("weights ".repeat(1000));
    const none = await mlsys(["protect", "decrypt", at("sealed"), at("out")]);
    expect(none.err).toMatch(/one of --key-file, --key-env and --passphrase-env is needed, 0 were given\n$/);
  });
});
