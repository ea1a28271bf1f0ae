/**
 * The judge's process: holds the hidden tests and grades one file after the other. Its supervisor watches it, because
 * a test that loops over an absurd answer, or is drowned by it, must cost that answer and nothing else.
 */
import { Judges } from "../batch/course.js";
import { gradeFile, type Place } from "../batch/grade-file.js";
import { sharingChecker } from "../checker/place.js";
import { withImage } from "../sandbox/image.js";
import { specOf } from "../sandbox/ladder.js";
import { onJupyter } from "../session/open.js";
import { shutdownAll } from "../session/running.js";
import { BEAT_MS, type FromJudge, type JudgeSetup, type ToJudge } from "./messages.js";

let setup: JudgeSetup;
let judges: Judges;
let place: Promise<Place>;

process.on("message", (message: ToJudge) => {
  if (message.type === "setup") {
    ({ setup } = message);
    const { course, isolation, limits, warm, readable, image, server } = setup;
    judges = new Judges(course);
    const full = { ...isolation, spec: withImage(specOf(isolation.level), image) };
    place = server
      ? onJupyter(server).then((open) => ({ isolation: full, open }))
      : Promise.resolve(sharingChecker(full, limits.box, { warm, readable }));
  } else void grade(message);
});
// Ctrl-C reaches the whole group: the supervisor decides what it means, and ends this process by hanging up.
process.on("SIGINT", () => {}).on("SIGTERM", () => {});
process.once("disconnect", leave);
// The supervisor may have been killed before this process listened.
const beating = setInterval(() => (process.connected ? tell({ type: "beat" }) : leave()), BEAT_MS);

const LEAVE_MS = 10_000;

/** Ends the boxes, and the process with them. */
function leave(): void {
  clearInterval(beating);
  setTimeout(() => process.exit(1), LEAVE_MS);
  void shutdownAll().finally(() => process.exit(0));
}

async function grade({
  file,
  slug,
  tasks,
  student,
  finished,
}: Extract<ToJudge, { type: "grade" }>): Promise<void> {
  const report = await gradeFile(file, judges, {
    place: await place,
    slug,
    tasks,
    student,
    limits: setup.limits,
    finished: new Map(finished),
    onTest: (key, outcome) => tell({ type: "test", key, outcome }),
  });
  tell({ type: "report", report });
}

function tell(message: FromJudge): void {
  if (process.connected) process.send?.(message);
}
