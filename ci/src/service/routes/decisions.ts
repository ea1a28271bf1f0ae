/** Instructors' decisions on a submission, from its page. */
import type { FastifyInstance } from "fastify";
import { personOf, type Service } from "../context.js";
import type { NewDecision } from "../decisions.js";
import { instructorsOnly, notFound, Refusal } from "../problems.js";

interface Decide {
  Params: { id: string };
  Body: Record<string, unknown> | undefined;
}

const MAX_COMMENT = 4_000;

export function decisionRoutes(app: FastifyInstance, { submissions, decisions, catalog }: Service): void {
  app.post<Decide>("/submissions/:id/decisions", (request, reply) => {
    const { id: by, role } = personOf(request);
    if (role !== "instructor") throw instructorsOnly();
    const submission = submissions.get(request.params.id);
    if (!submission) throw notFound();
    const { person: student, assignment, id } = submission;
    const field = (name: string) => {
      const value = request.body?.[name];
      return typeof value === "string" ? value.trim() : "";
    };
    const task = field("task") || undefined;
    if (task !== undefined && !catalog.parts(assignment).some(({ name }) => name === task))
      throw refused(`There is no task ${JSON.stringify(task.slice(0, 80))}.`);
    const decision = field("clear") === "" ? read(task, field) : takenBack(task);
    decisions.add({ student, assignment, ...(task === undefined ? {} : { task }), ...decision, by });
    return reply.redirect(`/submissions/${id}#decisions`, 303);
  });
}

type What = Pick<NewDecision, "score" | "comment">;

function takenBack(task: string | undefined): What {
  return { comment: null, ...(task === undefined ? {} : { score: null }) };
}

/** @throws Refusal for a form that decides nothing, or what is no score */
function read(task: string | undefined, field: (name: string) => string): What {
  const [score, comment] = [field("score"), field("comment")];
  if (score === "" && comment === "") throw refused("Give a score or a comment.");
  if (score !== "" && task === undefined)
    throw refused("Scores are decided task by task: choose the task of this one.");
  const points = Number(score);
  if (!(Number.isFinite(points) && points >= 0))
    throw refused(`${JSON.stringify(score.slice(0, 40))} is no number of points.`);
  if (comment.length > MAX_COMMENT) throw refused(`A comment has at most ${MAX_COMMENT} characters.`);
  return { ...(score === "" ? {} : { score: points }), ...(comment === "" ? {} : { comment }) };
}

function refused(message: string): Refusal {
  return new Refusal(422, "bad-decision", message);
}
