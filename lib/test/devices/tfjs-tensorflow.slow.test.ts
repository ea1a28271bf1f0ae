/**
 * The device on TensorFlow itself: tfjs-node with the C library of PyPI's wheel, which the command installs into .mlsys, once
 * (260 MB fetched, 1.1 GB on disk, about a minute). A machine that can't fetch or build it skips, and says why.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, it } from "vitest";
import { fetchWheel, TENSORFLOW, unpackWheel } from "../../src/cli/install/wheel.js";
import { devices } from "../../src/index.js";
import { loadTfjs } from "../../src/runtime/tfjs/load.js";
import { mlsys } from "../support/cli.js";
import { describeTfjs } from "./tfjs.js";

const home = fileURLToPath(new URL("../../../.mlsys/cache", import.meta.url));
const MINUTES = 60_000;

const { code, err, out } = await mlsys(["devices", "install", "tfjs"], { MLSYS_CACHE: home });
/** What the machine lacks; failures of the command's own are failures. */
const lacking = /cannot be reached|compiler is needed|with pip is needed|serve on Linux/.test(err)
  ? err.trim().split("\n").at(-1)
  : undefined;

if (lacking) it.skip(`TensorFlow itself: ${lacking}`, () => {});
else {
  process.env.MLSYS_TFJS = join(home, "devices", "tfjs");

  it("is installed", () => {
    expect({ code, err }).toEqual({ code: 0, err: expect.stringContaining("✓ checking: load, multiply") });
    expect(out).toContain(`@tensorflow/tfjs-node 4.22.0 with TensorFlow ${TENSORFLOW} (tensorflow`);
    const { backend } = loadTfjs() as unknown as { backend(): { binding: { TF_Version: string } } };
    expect(backend().binding.TF_Version).toBe(TENSORFLOW);
    expect(devices().find(({ name }) => name === "tfjs")).toMatchObject({ available: true });
  });

  describeTfjs({ native: 129, tensorflow: true });

  const spare = join(home, "spare");
  afterAll(() => rmSync(spare, { recursive: true, force: true }));

  it(
    "is built against a libtensorflow that is there: a wheel's folder",
    async () => {
      const { signal } = new AbortController();
      const wheel = await fetchWheel(TENSORFLOW, join(spare, "wheel"), false, signal);
      const folder = await unpackWheel(wheel, join(spare, "site"), signal);
      const ended = await mlsys(["devices", "install", "tfjs", "--libtensorflow", folder], {
        MLSYS_CACHE: spare,
      });
      expect(ended).toMatchObject({
        code: 0,
        out: expect.stringContaining(`(${folder}/libtensorflow_cc.so.2)`),
      });
    },
    10 * MINUTES,
  );
}
