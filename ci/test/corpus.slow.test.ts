/**
 * Every attack of the corpus at every level of isolation that this machine offers: it gets the verdict that its file
 * says, finds no secret, touches nothing outside, leaves nothing behind; its honest control gets full marks.
 */
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { BoxPlace } from "../src/judge/box.js";
import type { Judge } from "../src/judge/grade.js";
import type { TaskReport } from "../src/judge/report.js";
import { LEVELS } from "../src/sandbox/command.js";
import { buildImage, closeImage, withImage } from "../src/sandbox/image.js";
import { type Attempt, tryLevel } from "../src/sandbox/ladder.js";
import { bareBoxes, boxes } from "../src/session/open.js";
import {
  type Bait,
  CORPUS_LIMITS,
  corpusJudge,
  credulous,
  gradeAnswers,
  layBait,
  readCorpus,
} from "./support/corpus.js";
import { scratchFolder } from "./support/course.js";

const corpus = readCorpus();
/**
 * How a level's boxes are used: with the whole kernel in them, or with its worker alone, as for most submissions. Each run
 * takes every attack at the strongest level with the worker alone, and at the others one in so many;
 * `MLSYS_CORPUS=all` takes all of them everywhere.
 */
const EVERY: Readonly<Record<string, Readonly<Record<Program, number>>>> = {
  bwrap: { worker: 1, kernel: 6 },
  userns: { worker: 12, kernel: 24 },
  uid: { worker: 12, kernel: 24 },
};
/** An honest answer of the same shape gets full marks: of those where every attack is run, one in so many. */
const CONTROLS = 3;
const PROGRAMS = ["worker", "kernel"] as const;
type Program = (typeof PROGRAMS)[number];
const chosen = (level: string, program: Program, place: number): boolean =>
  process.env.MLSYS_CORPUS === "all" || place % EVERY[level][program] === 0;
const folder = join(scratchFolder(afterAll), "course");
mkdirSync(folder);
// As people's folders are: open to all who can reach them.
chmodSync(join(folder, ".."), 0o755);
let bait: Bait;
let judge: Judge;
const attempts: Attempt[] = await Promise.all(LEVELS.filter((level) => level !== "none").map(tryLevel));

const image = await buildImage();
afterAll(() => closeImage(image));
beforeAll(async () => {
  bait = await layBait(folder);
  judge = await corpusJudge(folder, bait.token);
});
afterAll(() => bait?.close());

it("has at least eighty attacks, each with a control", () => {
  expect(corpus.length).toBeGreaterThanOrEqual(80);
});

it("runs at every level that continuous integration must offer", () => {
  for (const { level, problem } of attempts) console.log(`isolation ${level}: ${problem ?? "works"}`);
  // Elsewhere a level that is missing is reported above and its attacks are skipped by name.
  if (process.env.CI === "true") expect(attempts.filter(({ problem }) => problem !== undefined)).toEqual([]);
});

const cases = attempts.flatMap((attempt) => PROGRAMS.map((program) => ({ ...attempt, program })));
for (const { level, isolation, problem, program } of cases) {
  const title = `isolation ${level}, ${program}${problem ? ` (${problem})` : ""}`;
  describe.skipIf(!isolation)(title, () => {
    let place: BoxPlace;
    beforeAll(() => {
      // As batches start boxes. The cells are JavaScript: without the checker a box starts sooner.
      const packed = { ...isolation!, spec: withImage(isolation!.spec, image) };
      const options = { isolation: packed, limits: CORPUS_LIMITS.box, warm: 2 };
      const solutions = join(folder, "solutions");
      const env = { MLSYS_TYPECHECK: "off", MLSYS_WARM: "off" };
      place = { open: boxes({ ...options, env })(solutions) };
      if (program === "worker")
        place = { ...place, openBare: bareBoxes(options)(solutions), checker: credulous };
    });

    const mine = corpus.filter(
      (attack, index) => attack.holds.includes(level) && chosen(level, program, index),
    );
    it.each(mine.map((attack) => [attack.name, attack] as const))(
      "attack %s",
      async (_, attack) => {
        const hits = bait.hits();
        const reports = await gradeAnswers(judge, place, bait.fill(attack.attack));
        const [visible, hidden] = testsOf(reports, "target");
        const what = `${attack.why}: ${JSON.stringify(reports)}`.slice(0, 3_000);
        const besides = program === "worker" ? attack.alone : [];
        expect([...attack.visible, ...besides], what).toContain(visible.status);
        expect([...attack.hidden, ...besides], what).toContain(hidden.status);
        if (attack.bystander === "passed")
          expect(testsOf(reports, "bystander")[0], what).toMatchObject({ status: "passed" });
        const text = JSON.stringify(reports);
        expect(text).not.toContain(bait.token);
        if (attack.secret !== undefined) expect(text).not.toContain(attack.secret);
        if (attack.hits !== undefined) expect(bait.hits() - hits).toBe(attack.hits);
        expect(existsSync(bait.mark)).toBe(false);
        rmSync(bait.mark, { force: true });
        expect(leftBehind(bait.sleep)).toEqual([]);
        expect(({} as { score?: number }).score).toBeUndefined();
        expect(process.memoryUsage().rss).toBeLessThan(3 * 1024 ** 3);
      },
      300_000,
    );

    const honest = mine.filter(
      (_, place) => process.env.MLSYS_CORPUS === "all" || EVERY[level][program] > 1 || place % CONTROLS === 0,
    );
    it.each(honest.map((attack) => [attack.name, attack] as const))(
      "control %s",
      async (_, attack) => {
        const reports = await gradeAnswers(judge, place, bait.fill(attack.control));
        expect(
          reports.map(({ score }) => score),
          JSON.stringify(reports).slice(0, 3_000),
        ).toEqual([2, 1]);
      },
      300_000,
    );
  });
}

function testsOf(reports: readonly TaskReport[], task: string): TaskReport["tests"] {
  return reports.find(({ name }) => name === task)!.tests;
}

function leftBehind(sleep: string): string[] {
  return readdirSync("/proc").filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(sleep);
    } catch {
      return false;
    }
  });
}
