/** The gradebook in the formats of other systems. */
import type { FastifyInstance, FastifyReply } from "fastify";
import { canvasCsv, parseRoster } from "../../report/canvas.js";
import type { Service } from "../context.js";
import { countingReports, EXPORTS } from "../exports.js";
import type { Entry } from "../gradebook.js";
import { notFound, Refusal } from "../problems.js";
import { readForm } from "../upload.js";

interface ByFile {
  Params: { file: string };
  Querystring: { assignment?: string };
}

/** @param entries of the gradebook, for instructors alone. */
export function exportRoutes(
  app: FastifyInstance,
  { submissions, catalog, options }: Service,
  entries: (request: Parameters<typeof readForm>[0]) => Entry[],
): void {
  const of = (all: readonly Entry[], assignment: string | undefined) => {
    if (assignment && !catalog.offers().some(({ slug }) => slug === assignment)) throw notFound();
    return assignment ? all.filter((entry) => entry.assignment === assignment) : all;
  };

  app.get<ByFile>("/gradebook/export/:file", async (request, reply) => {
    const chosen = of(entries(request), request.query.assignment);
    const { file } = request.params;
    if (!Object.hasOwn(EXPORTS, file)) throw notFound();
    const { type, make } = EXPORTS[file];
    return attached(reply, file, type).send(await make(countingReports(chosen, submissions), chosen));
  });

  app.post("/gradebook/export/canvas.csv", async (request, reply) => {
    const all = entries(request);
    const { fields, file } = await readForm(request, options.maxBytes);
    const [assignment, column] = ["assignment", "column"].map((name) => fields.get(name)?.trim() ?? "");
    if (assignment === "") throw new Refusal(422, "bad-export", "Choose the assignment.");
    if (column === "")
      throw new Refusal(
        422,
        "bad-export",
        "Name the assignment's column as Canvas does: Exercise 3 (12345).",
      );
    if (!file || file.bytes.length === 0)
      throw new Refusal(422, "bad-export", "Choose the grades as Canvas exported them (CSV).");
    const reports = countingReports(of(all, assignment), submissions);
    const points = catalog.offers().find(({ slug }) => slug === assignment)?.points ?? 0;
    const roster = parseRoster(file.bytes.toString("utf8"), file.file);
    const { csv } = canvasCsv(reports, roster, column, points);
    return attached(reply, "canvas.csv", "text/csv; charset=utf-8").send(csv);
  });
}

function attached(reply: FastifyReply, name: string, type: string): FastifyReply {
  return reply.header("content-disposition", `attachment; filename="${name}"`).type(type);
}
