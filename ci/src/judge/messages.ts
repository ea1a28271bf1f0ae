/** What the process that supervises and the process that judges say to each other. Both are trusted. */
import type { Course } from "../batch/course.js";
import type { TestOutcome } from "../kit/check.js";
import type { Level } from "../sandbox/command.js";
import type { Image } from "../sandbox/image.js";
import type { Isolation } from "../sandbox/ladder.js";
import type { JupyterPlace } from "../session/open.js";
import type { TestKey } from "./grade.js";
import type { GradeLimits } from "./limits.js";
import type { Report } from "./report.js";

export interface JudgeSetup {
  course: Course;
  /** As it was found by trying, without its functions. */
  isolation: Omit<Isolation, "spec"> & { level: Level };
  limits: GradeLimits;
  warm: number;
  readable: string[];
  /** Kernels of this Jupyter server instead of boxes. */
  server?: JupyterPlace;
  /** What boxes start faster from. */
  image?: Image;
}

export type ToJudge =
  | { type: "setup"; setup: JudgeSetup }
  | {
      type: "grade";
      file: string;
      slug?: string;
      /** Only these tasks. */
      tasks?: readonly string[];
      /** Who handed it in. */
      student?: string;
      finished: [TestKey, TestOutcome][];
    };

export type FromJudge =
  /** Sent again and again: a judge that is silent is stuck in a test. */
  | { type: "beat" }
  | { type: "test"; key: TestKey; outcome?: TestOutcome }
  | { type: "report"; report: Report };

export const BEAT_MS = 500;
