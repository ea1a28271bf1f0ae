/** What only instructors see and do. */
import type { FastifyInstance, FastifyRequest } from "fastify";
import { personOf, type Service } from "../context.js";
import { gradebook, gradebookCsv, gradebookJson } from "../gradebook.js";
import { gradebookPage, personPage } from "../pages/gradebook.js";
import type { Person } from "../people.js";
import { instructorsOnly, notFound, Refusal } from "../problems.js";
import { exportRoutes } from "./exports.js";

interface ById {
  Params: { id: string };
}

export function instructorRoutes(app: FastifyInstance, service: Service): void {
  const { options, catalog, people, submissions, queue, board } = service;
  const { courseName: course, keep } = options;
  const instructor = (request: FastifyRequest): Person => {
    const person = personOf(request);
    if (person.role !== "instructor") throw instructorsOnly();
    return person;
  };
  const entries = () =>
    gradebook(
      people.all(),
      catalog.offers().map(({ slug }) => slug),
      submissions.all(),
      keep,
    );

  exportRoutes(app, service, (request) => {
    instructor(request);
    return entries();
  });

  app.get("/gradebook", (request, reply) => {
    const person = instructor(request);
    const page = gradebookPage({ course, person, keep, offers: catalog.offers(), entries: entries() });
    return reply.type("text/html; charset=utf-8").send(page);
  });
  app.get("/gradebook.csv", (request, reply) => {
    instructor(request);
    return reply
      .header("content-disposition", 'attachment; filename="gradebook.csv"')
      .type("text/csv; charset=utf-8")
      .send(gradebookCsv(entries()));
  });
  app.get("/gradebook.json", (request) => {
    instructor(request);
    return gradebookJson(entries());
  });
  app.get<ById>("/people/:id", (request, reply) => {
    const person = instructor(request);
    const whose = people.get(request.params.id);
    if (!whose) throw notFound();
    const page = { course, person, whose, offers: catalog.offers(), submissions: submissions.of(whose.id) };
    return reply.type("text/html; charset=utf-8").send(personPage(page));
  });
  app.get<ById>("/submissions/:id/report.json", (request, reply) => {
    instructor(request);
    const report = submissions.report(request.params.id);
    if (!report) throw notFound();
    return reply.send(report);
  });
  app.post<ById>("/submissions/:id/again", (request, reply) => {
    instructor(request);
    const { id } = request.params;
    if (!submissions.again(id))
      throw new Refusal(409, "has-its-grade", "Only what the grader failed at can be graded again.");
    board.drop(id);
    queue.offer(id);
    return reply.redirect(`/submissions/${id}`, 303);
  });
}
