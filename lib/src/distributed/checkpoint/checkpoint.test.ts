/** Distributed checkpoints: at other world sizes, in other layouts, damaged, and cut off by kill -9. */
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { library } from "../../../test/support/built-library.js";
import { MlsysError } from "../../core/errors.js";
import type { ProcessGroup } from "../group/process-group.js";
import type { Team } from "../launch/team.js";
import { parseManifest } from "./manifest.js";

const mlsys = library; // what travels to ranks finds a constant, not an import
const { distributed } = mlsys;

const teams = new Map<number, Team>();
beforeAll(async () => {
  for (const size of [2, 3]) teams.set(size, await distributed.team(size));
});
afterAll(async () => {
  for (const team of teams.values()) await team.close();
});
let dir = "";
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "mlsys-checkpoint-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

interface Job {
  readonly dir: string;
  /** 0: data-parallel; else the ZeRO stage. */
  readonly stage: 0 | 1 | 2 | 3;
  /** The steps to do, by number: each has its own batch. */
  readonly steps: readonly number[];
  readonly load?: string;
  /** Saves after the last step. */
  readonly save?: boolean;
  /** Saves before the last step, and awaits that behind it. */
  readonly saveBeside?: boolean;
}

/** Trains, from or to a checkpoint, on a group or alone. @returns the weights at the end, by name */
async function job(group: ProcessGroup | null, { dir, stage, steps, load, save, saveBeside }: Job) {
  const { nn, optim, Generator, train, distributed } = mlsys;
  const generator = new Generator(load ? 5 : 3); // loaded weights must replace others
  const inner = new nn.Sequential(
    new nn.Dense(5, 7, { generator }),
    new nn.Tanh(),
    new nn.Dense(7, 3, { generator }),
  );
  const model = !group
    ? inner
    : stage === 0
      ? new distributed.DistributedDataParallel(inner, { group })
      : new distributed.FullyShardedDataParallel(inner, { group, stage });
  const optimizer = new optim.Adam(model, { lr: 0.05 });
  const history = new train.History();
  const training = { model, optimizer, history };
  if (load) await distributed.loadCheckpoint(load, training, group ?? undefined);
  let pending: Promise<void> | null = null;
  steps.forEach((step, i) => {
    if (saveBeside && group && i === steps.length - 1)
      pending = distributed.saveCheckpoint(dir, training, group);
    const x = new Generator(100 + step).normal([12, 5], 0, 1);
    const rows = 12 / (group?.size ?? 1);
    const from = rows * (group?.rank ?? 0);
    optimizer.zeroGrad();
    const loss = model
      .forward(x.slice([from, from + rows]))
      .square()
      .mean();
    loss.backward();
    optimizer.step();
    history.addStep(step);
  });
  await pending;
  if (save && group) await distributed.saveCheckpoint(dir, training, group);
  const state = model instanceof distributed.FullyShardedDataParallel ? model.stateDict() : inner.stateDict();
  return {
    weights: [...state].map(([name, value]) => [name, Array.from(value.toTypedArray())] as const),
    history: history.loss,
  };
}

type Outcome = Awaited<ReturnType<typeof job>>;

function expectAlike(got: Outcome, wanted: Outcome): void {
  expect(got.history).toEqual(wanted.history);
  expect(got.weights.map(([name]) => name)).toEqual(wanted.weights.map(([name]) => name));
  got.weights.forEach(([, values], i) => {
    for (const [k, v] of values.entries()) expect(v).toBeCloseTo(wanted.weights[i][1][k], 4);
  });
}

describe("distributed checkpoints", () => {
  it("go on at another world size and in another layout as if there had been no break", async () => {
    const whole = await job(null, { dir, stage: 0, steps: [0, 1, 2, 3] });
    const routes = [
      [2, 3, 3, 3],
      [3, 3, 2, 0],
      [2, 0, 3, 2],
      [3, 1, 2, 3],
    ] as const;
    for (const [before, saved, after, loaded] of routes) {
      await (teams.get(before) as Team).run(job, { dir, stage: saved, steps: [0, 1], save: true });
      const ranks = await (teams.get(after) as Team).run(job, {
        dir,
        stage: loaded,
        steps: [2, 3],
        load: dir,
      });
      for (const rank of ranks) expectAlike(rank, whole);
      expectAlike(await job(null, { dir, stage: 0, steps: [2, 3], load: dir }), whole);
    }
  });

  it("read plain files, and become plain files", async () => {
    const { nn, optim, train } = mlsys;
    const whole = await job(null, { dir, stage: 0, steps: [0, 1, 2] });
    const two = teams.get(2) as Team;
    await two.run(job, { dir, stage: 3, steps: [0, 1], save: true });
    const file = join(dir, "plain.safetensors");
    await distributed.consolidateCheckpoint(dir, file);
    for (const rank of await two.run(job, { dir, stage: 2, steps: [2], load: file }))
      expectAlike(rank, whole);
    const model = new nn.Sequential(new nn.Dense(5, 7), new nn.Tanh(), new nn.Dense(7, 3));
    const optimizer = new optim.Adam(model, { lr: 0.05 });
    await train.loadCheckpoint(file, { model, optimizer, history: new train.History() });
    await train.saveCheckpoint(file, { model, optimizer });
    const again = new optim.Adam(model, { lr: 0.05 });
    await distributed.loadCheckpoint(file, { model, optimizer: again });
    expect(again.stateDict().get("step")?.item()).toBe(2);
  });

  it("hold the values of the call, while the training goes on", async () => {
    for (const stage of [0, 3] as const) {
      const two = teams.get(2) as Team;
      await two.run(job, { dir, stage, steps: [0, 1, 2], saveBeside: true });
      const [loaded] = await two.run(job, { dir, stage, steps: [], load: dir });
      expectAlike(loaded, await job(null, { dir, stage: 0, steps: [0, 1] }));
    }
  });

  it("say on every rank what is missing or damaged", async () => {
    const two = teams.get(2) as Team;
    const load = (path = dir) => two.run(job, { dir, stage: 3, steps: [], load: path });
    await expect(load()).rejects.toThrow(/there is no checkpoint \(checkpoint\.json is missing\)/);
    await expect(load(join(dir, "nowhere"))).rejects.toThrow(/there is no checkpoint/);
    await two.run(job, { dir, stage: 3, steps: [0], save: true });
    const folder = join(dir, "save-00000001");
    const [first, second] = readdirSync(folder).sort();
    const bytes = readFileSync(join(folder, second));
    bytes[bytes.length - 3] ^= 1;
    writeFileSync(join(folder, second), bytes);
    await expect(load()).rejects.toThrow(
      /rank 1: .*rank-00001-of-00002\.safetensors has other bytes than were written/,
    );
    truncateSync(join(folder, second), bytes.length - 1);
    await expect(load()).rejects.toThrow(/has \d+ bytes, \d+ were written/);
    rmSync(join(folder, first));
    await expect(load()).rejects.toThrow(/incomplete: .*rank-00000-of-00002\.safetensors.* is missing/);
    writeFileSync(join(dir, "checkpoint.json"), "{");
    await expect(load()).rejects.toThrow(/the manifest is damaged: it is not JSON/);
  });

  it("list what does not fit, and assign nothing", async () => {
    await (teams.get(2) as Team).run(job, { dir, stage: 0, steps: [0], save: true });
    const { nn } = mlsys;
    const model = new nn.Sequential(new nn.Dense(5, 7), new nn.Tanh(), new nn.Dense(7, 4));
    const before = model.parameters().map((p) => p.toArray());
    await expect(distributed.loadCheckpoint(dir, { model })).rejects.toThrow(
      /model\.layers\.2\.weight has shape \(7, 3\), the training's is \(7, 4\)/,
    );
    expect(model.parameters().map((p) => p.toArray())).toEqual(before);
  });

  it("leave the earlier checkpoint when a rank can't write", async () => {
    const two = teams.get(2) as Team;
    await two.run(job, { dir, stage: 3, steps: [0], save: true });
    const broken = async (group: ProcessGroup, dir: string): Promise<string> => {
      const { nn, distributed } = mlsys;
      const model = new distributed.DistributedDataParallel(new nn.Dense(2, 2), { group });
      const where = group.rank === 1 ? "/dev/null/nowhere" : dir;
      return distributed.saveCheckpoint(where, { model }, group).then(
        () => "saved",
        (error: Error) => error.message,
      );
    };
    for (const message of await two.run(broken, dir)) expect(message).toMatch(/rank 1: ENOTDIR/);
    const [loaded] = await two.run(job, { dir, stage: 3, steps: [], load: dir });
    expectAlike(loaded, await job(null, { dir, stage: 0, steps: [0] }));
  });

  it("are whole after kill -9 at any time", async () => {
    const url = new URL("../../../dist/index.js", import.meta.url).href;
    const program = `
      import * as mlsys from ${JSON.stringify(url)};
      await mlsys.distributed.launch(2, async (group, dir) => {
        const { nn, full } = mlsys;
        const model = new mlsys.distributed.FullyShardedDataParallel(new nn.Dense(100, 300), { group });
        const training = { model };
        let k = 0;
        try {
          await mlsys.distributed.loadCheckpoint(dir, training, group);
          k = model.stateDict().get("bias").at(0).item();
        } catch {}
        for (;;) {
          k++;
          for (const shard of model.parameters()) shard.assign(full(shard.shape, k));
          await mlsys.distributed.saveCheckpoint(dir, training, group);
          if (group.rank === 0) console.log(k);
        }
      }, { args: [${JSON.stringify(dir)}] });
    `;
    let least = 0;
    for (const heard of [2, 3]) {
      const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      const ended = new Promise((resolve) => child.once("close", resolve));
      for await (const line of createInterface({ input: child.stdout })) {
        least = Number(/(\d+)\s*$/.exec(line)?.[1]);
        if (least >= heard) child.kill("SIGKILL"); // the next is being written
      }
      await ended;
      const model = new mlsys.nn.Dense(100, 300);
      await distributed.loadCheckpoint(dir, { model });
      const values = new Set(model.parameters().flatMap((p) => Array.from(p.toTypedArray())));
      values.delete(0); // the padding of the last rank is nobody's
      expect(values.size).toBe(1);
      expect([...values][0]).toBeGreaterThanOrEqual(least);
    }
  });
});

describe("manifests", () => {
  it("that are damaged give an error that says so, whatever is in them", async () => {
    await (teams.get(2) as Team).run(job, { dir, stage: 3, steps: [0], save: true });
    const text = readFileSync(join(dir, "checkpoint.json"), "utf8");
    expect(parseManifest(text, "here").ranks).toBe(2);
    const paths = (value: unknown, path: string[] = []): string[][] => [
      path,
      ...(typeof value === "object" && value !== null
        ? Object.entries(value).flatMap(([key, part]) => paths(part, [...path, key]))
        : []),
    ];
    const all = paths(JSON.parse(text));
    fc.assert(
      fc.property(
        fc.constantFrom(...all),
        fc.oneof(fc.jsonValue(), fc.constant(undefined)),
        (path, value) => {
          let changed: unknown = JSON.parse(text);
          if (path.length === 0) changed = value;
          else {
            let at = changed as Record<string, unknown>;
            for (const key of path.slice(0, -1)) at = at[key] as Record<string, unknown>;
            at[path[path.length - 1]] = value;
          }
          try {
            parseManifest(JSON.stringify(changed) ?? "", "here");
          } catch (error) {
            expect(error).toBeInstanceOf(MlsysError);
            expect((error as Error).message).toMatch(/^here: the manifest is damaged/);
          }
        },
      ),
    );
  });
});
