/** `mlsys ros bag`: recording ends whole at Ctrl-C; what is in a bag; a damaged one saved. */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { mlsys } from "../support/cli.js";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const sample = here("../expected/ros_bag_zstd.mcap");
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "mlsys-cli-bag-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

test("record, until Ctrl-C", async () => {
  const file = join(folder, "a.mcap");
  const args = [here("../../bin/mlsys.mjs"), "ros", "bag", "record", file, "--host", "graph"];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  let out = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
    if (out.endsWith("Ctrl-C ends it\n")) child.kill("SIGINT");
  });
  const code = await new Promise((resolve) => child.on("close", resolve));
  expect(out).toBe(`recording into ${file}; Ctrl-C ends it\n${file}: 0 messages\n`);
  expect(code).toBe(0);
  const info = await mlsys(["ros", "bag", "info", file, "--json"]);
  expect(JSON.parse(info.out)).toMatchObject({ complete: true, messageCount: 0, profile: "ros2" });
});

test("info, play and recover", async () => {
  const info = await mlsys(["ros", "bag", "info", sample]);
  expect(info).toMatchObject({ code: 0, err: "" });
  expect(info.out).toContain("6 messages in 2.500 s, 1970-01-01T00:16:40.000Z to 1970-01-01T00:16:42.500Z\n");
  expect(info.out).toMatch(/\/chatter +3 +std_msgs\/msg\/String\n/);
  const played = await mlsys([
    "ros",
    "bag",
    "play",
    sample,
    "--host",
    "graph",
    "--rate",
    "100",
    "--delay",
    "0",
    "--remap",
    "/pose:=/p",
  ]);
  expect(played).toMatchObject({ code: 0, err: "", out: `${sample}: 6 messages played\n` });
  const cut = join(folder, "cut.mcap");
  const bytes = readFileSync(sample);
  writeFileSync(cut, bytes.subarray(0, bytes.length - 100));
  expect((await mlsys(["ros", "bag", "info", cut])).out).toContain("\ndamaged: ");
  const whole = join(folder, "whole.mcap");
  expect((await mlsys(["ros", "bag", "recover", cut, whole])).out).toBe(`${whole}: 6 messages saved\n`);
  const none = await mlsys(["ros", "bag", "info", join(folder, "none")]);
  expect(none).toMatchObject({ code: 1, err: `mlsys: there is no bag ${join(folder, "none")}\n` });
});
