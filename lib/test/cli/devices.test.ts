import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { explainLoad } from "../../src/cli/install/check.js";
import { locate } from "../../src/cli/install/libtensorflow.js";
import { installTfjs, type TfjsOptions } from "../../src/cli/install/tfjs.js";
import { devices } from "../../src/index.js";
import { mlsys, start } from "../support/cli.js";

/** Processes are started, and a busy machine takes its time. */
const PATIENT = 180_000;

let home: string;
let log: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "mlsys-devices-"));
  log = join(home, "npm.log");
  mkdirSync(join(home, "bin"));
  copyFileSync(fileURLToPath(new URL("./fake-npm.mjs", import.meta.url)), join(home, "bin", "npm"));
  chmodSync(join(home, "bin", "npm"), 0o755);
  writeFileSync(join(home, "bin", "package.json"), '{ "type": "module" }');
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(home, { recursive: true, force: true });
});

const env = (more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => ({
  MLSYS_CACHE: join(home, "cache"),
  MLSYS_TFJS: undefined,
  PATH: `${join(home, "bin")}${delimiter}${process.env.PATH}`,
  FAKE_NPM_LOG: log,
  ...more,
});
const install = (args: string[] = [], more: NodeJS.ProcessEnv = {}) =>
  mlsys(["devices", "install", "tfjs", ...args], env(more));
const official = (args: string[] = [], more: NodeJS.ProcessEnv = {}) =>
  install(["--from", "official", ...args], more);
const calls = (): string[] => (existsSync(log) ? readFileSync(log, "utf8").trimEnd().split("\n") : []);
const folders = (): string[] => {
  const all = join(home, "cache", "devices");
  return existsSync(all) ? readdirSync(all).sort() : [];
};

describe("mlsys devices", { timeout: PATIENT }, () => {
  it("lists every device, and how to get what is missing", async () => {
    const { code, out } = await mlsys(["devices"], env());
    expect(code).toBe(0);
    for (const { name } of devices()) expect(out).toMatch(new RegExp(`^[✓–] ${name} `, "m"));
    expect(out).toMatch(/^– tfjs +TensorFlow for Node is not installed/m);
    expect(out).toContain("get it with: npx mlsys devices install tfjs\n");
  });

  it("lists them as JSON", async () => {
    const { out } = await mlsys(["devices", "--json"], env());
    const rows = JSON.parse(out) as { name: string; available: boolean; detail: string; install?: string }[];
    expect(rows.map(({ name }) => name)).toEqual(devices().map(({ name }) => name));
    expect(rows.find(({ name }) => name === "cpu")).toEqual({
      name: "cpu",
      available: true,
      detail: "reference kernels in TypeScript, one thread",
    });
    expect(rows.find(({ name }) => name === "tfjs")).toMatchObject({
      available: false,
      install: "npx mlsys devices install tfjs",
    });
  });

  it.each([
    [["devices", "install", "abacus"], "Known: tfjs, webgpu, native, cuda."],
    [["devices", "install"], "missing required argument 'device'"],
    [["devices", "install", "tfjs", "--from", "elsewhere"], "Allowed choices are pypi, official"],
    [["gadgets"], "unknown command 'gadgets'"],
  ])("refuses %j with exit code 2", async (args, message) => {
    const { code, err } = await mlsys(args, env());
    expect([code, err]).toEqual([2, expect.stringContaining(message)]);
  });

  it.each(["native", "cuda"])("says how to get %s", async (name) => {
    const { code, out } = await mlsys(["devices", "install", name], env());
    expect(code).toBe(0);
    expect(out).toMatch(/^\$ (npm|apt) install \S+/m);
  });
});

describe("mlsys devices install tfjs", { timeout: PATIENT }, () => {
  it("installs into a folder of its own, checks it, and is done the next time", async () => {
    const first = await official();
    expect(first.err).toContain("✓ checking: load, multiply");
    expect(first).toMatchObject({
      code: 0,
      out: expect.stringContaining("4.22.0 with TensorFlow 9.9.9 (its own download)"),
    });
    expect(folders()).toEqual(["tfjs"]);
    expect(calls()).toHaveLength(1);
    expect(calls()[0]).not.toContain("--ignore-scripts");

    expect((await official()).code).toBe(0);
    expect(calls()).toHaveLength(1);
    expect((await official(["--force"])).code).toBe(0);
    expect(calls()).toHaveLength(2);

    const { out } = await mlsys(["devices"], env());
    expect(out).toMatch(/^✓ tfjs +@tensorflow\/tfjs-node 4\.22\.0, TensorFlow 9\.9\.9 \(its own download\)/m);
  });

  it("is whole when several install at once", async () => {
    const all = await Promise.all([official(), official(), official()]);
    expect(all.map(({ code }) => code)).toEqual([0, 0, 0]);
    expect(folders()).toEqual(["tfjs"]);
  });

  it("makes anew what is there and does not work", async () => {
    await official();
    writeFileSync(join(home, "cache/devices/tfjs/node_modules/@tensorflow/tfjs-node/index.js"), "throw 1");
    const { code, err } = await official();
    expect([code, err]).toEqual([0, expect.stringContaining("it is made anew")]);
    expect(calls()).toHaveLength(2);
  });

  it.each([
    ["offline", "the host that tfjs-node downloads TensorFlow from cannot be reached"],
    ["broken", "the library has no TF_NewStatus: its version does not go with this tfjs-node"],
    ["wrong", "multiplies wrongly: [1,2,3,4] instead of [7,10,15,22]"],
  ])("keeps what was there when the new one is %s", async (how, message) => {
    await official();
    const { code, err } = await official(["--force"], { FAKE_NPM: how });
    expect([code, err]).toEqual([1, expect.stringContaining(message)]);
    expect(folders()).toEqual(["tfjs"]);
    expect((await official()).code).toBe(0);
  });

  it("fills in what Node took out of util", async () => {
    const without =
      "data:text/javascript,import util from 'node:util';delete util.isNullOrUndefined;delete util.isArray";
    const { code, err } = await official([], { NODE_OPTIONS: `--import="${without}"` });
    expect([code, err]).toEqual([0, expect.any(String)]);
  });

  it("stops at Ctrl-C with all that it started, and leaves nothing", async () => {
    const { child, ended } = start(
      ["devices", "install", "tfjs", "--from", "official"],
      env({ FAKE_NPM: "hangs" }),
    );
    await vi.waitFor(() => expect(calls()).toHaveLength(1), { timeout: PATIENT, interval: 50 });
    const npm = Number(calls()[0].split(" ")[0]);
    child.kill("SIGINT");
    expect(await ended).toMatchObject({
      code: 130,
      err: expect.stringContaining("Interrupted: nothing was changed."),
    });
    expect(folders()).toEqual([]);
    await vi.waitFor(() => expect(() => process.kill(npm, 0)).toThrow("ESRCH"), {
      timeout: PATIENT,
      interval: 50,
    });
  });

  it("removes what a killed installation left, and not what another one is making", async () => {
    const { child, ended } = start(["devices"], env());
    await ended; // its number is free now
    const [dead, alive] = [`tfjs.partial-${child.pid}`, `tfjs.partial-${process.pid}`];
    for (const name of [dead, alive]) mkdirSync(join(home, "cache", "devices", name), { recursive: true });
    await official();
    expect(folders()).toEqual(["tfjs", alive]);
  });

  it.each<[string, Partial<TfjsOptions>, NodeJS.ProcessEnv, string]>([
    [
      "npm away",
      {},
      { FAKE_NPM: "offline", MLSYS_CXX: process.execPath },
      "the npm registry cannot be reached",
    ],
    ["no compiler", {}, { MLSYS_CXX: "" }, "A C++ compiler is needed to build tfjs-node's addon"],
    ["another compiler", {}, { MLSYS_CXX: "/no/such/c++" }, "none was found (tried /no/such/c++)"],
    ["an old version", { tensorflow: "2.9.1" }, {}, "TensorFlow 2.9.1 is too old: wheels before 2.12"],
    ["no version", { tensorflow: "latest" }, {}, '"latest" is no version of TensorFlow'],
    ["two sources", { libtensorflow: "/x", from: "pypi" }, {}, "--from and --tensorflow do not go with it"],
    [
      "an idle version",
      { from: "official", tensorflow: "2.20.0" },
      {},
      "it does not go with --from official",
    ],
    ["no folder", { libtensorflow: "/no/such/folder" }, {}, "there is no /no/such/folder"],
    ["no library", { libtensorflow: import.meta.dirname }, {}, "no libtensorflow.so or libtensorflow_cc.so"],
  ])("says what is wrong: %s", async (_, options, more, message) => {
    await expect(here(options, more)).rejects.toThrow(message);
    expect(folders()).toEqual([]);
  });

  it("says what is wrong: no Python", async () => {
    await expect(here({}, { PATH: join(home, "bin"), MLSYS_CXX: process.execPath })).rejects.toThrow(
      "Python with pip is needed to fetch TensorFlow's wheel",
    );
  });

  it("says what is wrong: no wheel", async () => {
    const wheel = join(home, "tensorflow.whl");
    writeFileSync(wheel, "not a zip");
    await expect(here({ libtensorflow: wheel }, { MLSYS_CXX: process.execPath })).rejects.toThrow(
      "tensorflow.whl is no wheel that can be read",
    );
  });

  /** In this process: what goes wrong before anything is loaded. */
  function here(options: Partial<TfjsOptions>, more: NodeJS.ProcessEnv): Promise<unknown> {
    for (const [name, value] of Object.entries(env(more))) vi.stubEnv(name, value);
    return installTfjs({ gpu: false, force: false, ...options }, new AbortController().signal);
  }
});

describe("a libtensorflow that is there", () => {
  const make = (...files: string[]) => {
    for (const file of files) {
      mkdirSync(dirname(join(home, file)), { recursive: true });
      writeFileSync(join(home, file), "");
    }
  };
  const header = "include/tensorflow/c/c_api.h";

  it.each([
    ["a wheel's folder", "site/tensorflow", "site/tensorflow", "_cc.so.2", "site/tensorflow"],
    ["site-packages", "site", "site/tensorflow", "_cc.so.2", "site/tensorflow"],
    ["an archive's folder", "tf", "tf/lib", ".so.2", "tf"],
    ["a shared object", "tf/lib/libtensorflow.so.2", "tf/lib", ".so.2", "tf"],
    ["a system's prefix", "usr", "usr/lib", ".so", "usr"],
  ])("is found in %s", (_, given, at, ending, include) => {
    const framework = ending === ".so" ? ".so" : ".so.2";
    make(`${at}/libtensorflow${ending}`, `${at}/libtensorflow_framework${framework}`, `${include}/${header}`);
    expect(locate(join(home, given))).toEqual({
      libraries: [
        join(home, at, `libtensorflow${ending}`),
        join(home, at, `libtensorflow_framework${framework}`),
      ],
      include: join(home, include, "include"),
    });
  });

  it("needs its headers", () => {
    make("tf/lib/libtensorflow.so.2", "tf/lib/libtensorflow_framework.so.2");
    expect(() => locate(join(home, "tf"))).toThrow("has no headers: no tensorflow/c/c_api.h in");
  });

  it.each([
    ["undefined symbol: PyTuple_Type", "the library needs PyTuple_Type, which nothing here has"],
    ["/lib/libm.so.6: version `GLIBC_2.38' not found", "the library wants GLIBC_2.38, this system is older"],
    ["libcudart.so.11.0: cannot open shared object file", "the GPU package wants CUDA's libraries"],
    ["libtensorflow.so.2: cannot open shared object file", "libtensorflow.so.2 is missing."],
    ["stopped by SIGILL", "this processor lacks instructions"],
    ["something else", undefined],
  ])("that does not load is explained: %s", (output, words) => {
    if (words === undefined) expect(explainLoad(output)).toBeUndefined();
    else expect(explainLoad(output)).toContain(words);
  });
});
