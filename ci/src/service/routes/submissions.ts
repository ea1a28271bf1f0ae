/** Handing in, following it, and what came of it: the learner's own. Instructors see everyone's. */
import { randomUUID } from "node:crypto";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { reportAsHtml } from "../../report/html.js";
import { REQUEST_HEADER } from "../../submit/protocol.js";
import { personOf, type Service, wantsJson } from "../context.js";
import { homePage } from "../pages/home.js";
import { sayProgress, submissionPage } from "../pages/submission.js";
import { notFound, Refusal } from "../problems.js";
import type { Submission } from "../submissions.js";
import { Gate, readUpload, Share } from "../upload.js";

const UPLOADS_AT_ONCE = 16;
const UPLOADS_OF_ONE = 8;
const FOLLOWED_AT_ONCE = 20;
const HEARTBEAT_MS = 15_000;
const REQUEST_NAME = /^[A-Za-z0-9_-]{8,64}$/;
const FEEDBACK_POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

interface ById {
  Params: { id: string };
}

export function submissionRoutes(app: FastifyInstance, service: Service): void {
  const { options, catalog, submissions, decisions, board, queue, shelf } = service;
  const { courseName: course, maxBytes, perHour } = options;
  const gate = new Gate(UPLOADS_AT_ONCE);
  const share = new Share(UPLOADS_OF_ONE, "You are sending so many files at once already: wait for them.");
  const following = new Share(FOLLOWED_AT_ONCE, "You follow so many submissions already: close some pages.");

  const html = (reply: FastifyReply, text: string) => reply.type("text/html; charset=utf-8").send(text);
  const visible = (request: FastifyRequest<ById>): Submission => {
    const person = personOf(request);
    const submission = submissions.get(request.params.id);
    if (!submission || (submission.person !== person.id && person.role !== "instructor")) throw notFound();
    return submission;
  };

  app.get("/", async (request, reply) => {
    const person = personOf(request);
    const page = {
      course,
      person,
      offers: catalog.offers(),
      submissions: submissions.of(person.id),
      shelf: await shelf?.list(person.id),
      maxBytes,
      perHour,
      request: randomUUID(),
    };
    return html(reply, homePage(page));
  });

  app.get("/api/me", (request) => {
    const { id, name, role } = personOf(request);
    return { person: { id, name, role }, assignments: catalog.offers(), maxBytes, perHour };
  });

  app.post<{ Querystring: { request?: string } }>("/submissions", async (request, reply) => {
    const person = personOf(request);
    const name = request.headers[REQUEST_HEADER] ?? request.query.request ?? randomUUID();
    if (typeof name !== "string" || !REQUEST_NAME.test(name))
      throw new Refusal(400, "request-name", `${REQUEST_HEADER}: expected 8 to 64 of A-Z a-z 0-9 _ -`);
    const upload = await share.within(person.id, () =>
      gate.through(() => readUpload(request, person, shelf, maxBytes)),
    );
    const { bytes, file } = upload;
    const assignment = catalog.assignmentOf(bytes, file, upload.assignment);
    const handedIn = { person: person.id, assignment, file, bytes, request: name };
    const answer = await submissions.accept(handedIn, options);
    if ("full" in answer)
      throw new Refusal(
        413,
        "full",
        "You have handed in so much that there is no room for more: clear the notebook's outputs, or ask your instructor.",
      );
    if ("retryAfter" in answer) {
      const minutes = Math.ceil(answer.retryAfter / 60);
      throw new Refusal(
        429,
        "too-many",
        `You have handed in this assignment ${perHour} times in the last hour. Try again in ${minutes} min.`,
        { "retry-after": String(answer.retryAfter) },
      );
    }
    const { receipt } = answer;
    queue.offer(receipt.id);
    const url = `/submissions/${receipt.id}`;
    if (!wantsJson(request)) return reply.redirect(url, 303);
    return reply.code(201).header("location", url).send({ receipt, url });
  });

  app.get<ById>("/submissions/:id", (request, reply) => {
    const { id, assignment } = visible(request);
    const progress = board.now(id);
    if (!progress) throw notFound();
    const receipt = submissions.receipt(id);
    if (wantsJson(request)) return reply.send({ receipt, progress });
    const { person } = request;
    const report = submissions.report(id);
    const title = catalog.title(assignment);
    const page = { course, person, receipt, title, progress, report };
    if (person?.role !== "instructor") return html(reply, submissionPage(page));
    const decided = decisions.of(receipt.person, assignment);
    const parts = catalog.parts(assignment);
    return html(
      reply,
      submissionPage({ ...page, decisions: { id, person: receipt.person, parts, decisions: decided } }),
    );
  });

  app.get<ById>("/submissions/:id/events", (request, reply) => {
    const { id } = visible(request);
    const person = personOf(request).id;
    const leave = following.enter(person);
    reply.hijack();
    const { raw } = reply;
    raw.writeHead(200, {
      ...(reply.getHeaders() as Record<string, string>),
      "content-type": "text/event-stream; charset=utf-8",
      "x-accel-buffering": "no",
    });
    const beat = setInterval(() => raw.write(": still here\n\n"), HEARTBEAT_MS);
    let stop = () => {};
    let over = false;
    raw.on("error", () => {}); // the reader went away: "close" follows
    raw.once("close", () => {
      clearInterval(beat);
      stop();
      leave();
    });
    stop = board.listen(id, (progress) => {
      if (over) return;
      raw.write(`data: ${JSON.stringify({ progress, words: sayProgress(progress) })}\n\n`);
      over = progress.state === "done";
      if (over) raw.end();
    });
  });

  app.get<ById>("/submissions/:id/feedback", (request, reply) => {
    const report = submissions.report(visible(request).id);
    if (!report) throw notFound();
    return html(reply.header("content-security-policy", FEEDBACK_POLICY), reportAsHtml(report));
  });

  app.get<ById>("/submissions/:id/notebook", (request, reply) => {
    const { id, file } = visible(request);
    const name = `attachment; filename="notebook.ipynb"; filename*=UTF-8''${encodeURIComponent(file)}`;
    return reply
      .header("content-disposition", name)
      .type("application/octet-stream")
      .send(submissions.bytes(id));
  });
}
