/**
 * The judge's process: holds the hidden tests and grades one file after the other. Its supervisor watches it, because
 * a test that loops over an absurd answer, or is drowned by it, must cost that answer and nothing else.
 */
import { Judges } from "../batch/course.js";
import { gradeFile, type Place } from "../batch/grade-file.js";
import { sharingChecker } from "../checker/place.js";
import { withImage } from "../sandbox/image.js";
import { specOf } from "../sandbox/ladder.js";
import { shutdownAll } from "../session/running.js";
import { BEAT_MS, type FromJudge, type JudgeSetup, type ToJudge } from "./messages.js";

let setup: JudgeSetup;
let judges: Judges;
let place: Place;

process.on("message", (message: ToJudge) => {
  if (message.type === "setup") {
    ({ setup } = message);
    const { course, isolation, limits, warm, readable, image } = setup;
    judges = new Judges(course);
    const full = { ...isolation, spec: withImage(specOf(isolation.level), image) };
    place = sharingChecker(full, limits.box, { warm, readable });
  } else void grade(message);
});
// Ctrl-C reaches the whole group: the supervisor decides what it means, and ends this process by hanging up.
process.on("SIGINT", () => {}).on("SIGTERM", () => {});
process.on("disconnect", () => void shutdownAll().finally(() => process.exit(0)));
setInterval(() => tell({ type: "beat" }), BEAT_MS);

async function grade({ file, slug, tasks, finished }: Extract<ToJudge, { type: "grade" }>): Promise<void> {
  const report = await gradeFile(file, judges, {
    place,
    slug,
    tasks,
    limits: setup.limits,
    finished: new Map(finished),
    onTest: (key, outcome) => tell({ type: "test", key, outcome }),
  });
  tell({ type: "report", report });
}

function tell(message: FromJudge): void {
  if (process.connected) process.send?.(message);
}
