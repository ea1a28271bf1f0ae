/**
 * What was handed in, what is still to be graded, and the grades. A submission is accepted with its work in one transaction
 * and graded by another that takes the work away: each accepted one gets exactly one grade, whenever the process ends.
 */
import { createHash, randomBytes } from "node:crypto";
import { finalScore, fullPoints, type Report, reportSchema } from "../judge/report.js";
import type { Receipt } from "../submit/protocol.js";
import type { Database } from "./database.js";
import type { Decisions, Handed } from "./decisions.js";

export interface NewSubmission {
  person: string;
  assignment: string;
  /** As the learner's computer calls it; shown, never opened. */
  file: string;
  bytes: Buffer;
  /** The sender's own name for this request: sent again, it is the same submission. */
  request: string;
}

export interface AcceptLimits {
  /** Of a person for an assignment. */
  perHour: number;
  /** Of all that a person has handed in. */
  bytesPerPerson: number;
}
export type Accepted = { receipt: Receipt } | { retryAfter: number } | { full: true };

export interface Graded {
  status: Report["status"];
  /** What counts: with instructors' decisions and the late penalty. */
  score: number;
  /** What the tests gave. */
  raw: number;
  late?: Report["late"];
  points: number;
  /** Milliseconds since 1970, as all times here. */
  graded: number;
}

export interface Submission {
  id: string;
  person: string;
  assignment: string;
  file: string;
  sha256: string;
  accepted: number;
  /** Absent while it waits or is being graded. */
  grade?: Graded;
}

/** A submission to be graded. */
export interface Work {
  id: string;
  person: string;
  assignment: string;
  file: string;
  bytes: Buffer;
  /** This one included. */
  attempts: number;
}

interface Row {
  id: string;
  person: string;
  assignment: string;
  file: string;
  sha256: string;
  accepted: number;
  status: Report["status"] | null;
  score: number;
  points: number;
  graded: number;
}

const SELECT = `SELECT s.id, s.person, s.assignment, s.file, s.sha256, s.accepted, g.status, g.score, g.points, g.graded
  FROM submission s LEFT JOIN grade g ON g.submission = s.id`;
const HOUR_MS = 60 * 60 * 1000;

export class Submissions {
  constructor(
    private readonly database: Database,
    private readonly decisions: Decisions,
  ) {}

  /**
   * Accepts, on the disk, or finds what the same request brought before.
   * @returns the receipt; or the seconds to wait, if there were too many; or that there is no room for more of this person's
   */
  accept(given: NewSubmission, { perHour, bytesPerPerson }: AcceptLimits): Promise<Accepted> {
    const { person, assignment, file, bytes, request } = given;
    const { database } = this;
    return database.together(() => {
      const known = database.get<{ id: string }>(
        "SELECT id FROM submission WHERE person = ? AND request = ?",
        person,
        request,
      );
      if (known) return { receipt: this.receipt(known.id) };
      const now = Date.now();
      const recent = database.all<{ accepted: number }>(
        "SELECT accepted FROM submission WHERE person = ? AND assignment = ? AND accepted > ? ORDER BY accepted DESC LIMIT ?",
        person,
        assignment,
        now - HOUR_MS,
        perHour,
      );
      if (recent.length >= perHour)
        return { retryAfter: Math.ceil((recent[perHour - 1].accepted + HOUR_MS - now) / 1000) };
      const total = database.get<{ bytes: number }>(
        "SELECT coalesce(sum(length(bytes)), 0) AS bytes FROM submission WHERE person = ?",
        person,
      );
      if ((total?.bytes ?? 0) + bytes.length > bytesPerPerson) return { full: true };
      const id = randomBytes(9).toString("base64url");
      const sha256 = createHash("sha256").update(bytes).digest("hex");
      database.run(
        "INSERT INTO submission(id, person, assignment, file, sha256, bytes, accepted, request) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        ...[id, person, assignment, file, sha256, bytes, now, request],
      );
      database.run("INSERT INTO work(submission, ticket) VALUES (?, ?)", id, newTicket());
      return { receipt: this.receipt(id) };
    });
  }

  receipt(id: string): Receipt {
    const row = this.database.get<Row & { size: number }>(
      "SELECT id, person, assignment, file, sha256, accepted, length(bytes) AS size FROM submission WHERE id = ?",
      id,
    );
    if (!row) throw new Error(`no submission ${id}`);
    const { person, assignment, file, sha256, size } = row;
    return { id, person, assignment, file, sha256, size, accepted: new Date(row.accepted).toISOString() };
  }

  get(id: string): Submission | undefined {
    const row = this.database.get<Row>(`${SELECT} WHERE s.id = ?`, id);
    return row && this.submissionOf(row);
  }

  /** The newest first. */
  of(person: string): Submission[] {
    return this.database
      .all<Row>(`${SELECT} WHERE s.person = ? ORDER BY s.accepted DESC, s.rowid DESC`, person)
      .map((row) => this.submissionOf(row));
  }

  /** The oldest first. */
  all(): Submission[] {
    return this.database
      .all<Row>(`${SELECT} ORDER BY s.accepted, s.rowid`)
      .map((row) => this.submissionOf(row));
  }

  bytes(id: string): Buffer | undefined {
    const row = this.database.get<{ bytes: ArrayBuffer }>("SELECT bytes FROM submission WHERE id = ?", id);
    return row && Buffer.from(row.bytes);
  }

  /** As it counts. */
  report(id: string): Report | undefined {
    const row = this.database.get<Handed & { report: string }>(
      "SELECT g.report, s.person, s.assignment, s.accepted FROM grade g JOIN submission s ON s.id = g.submission WHERE s.id = ?",
      id,
    );
    return row && this.decisions.decide(reportSchema.parse(JSON.parse(row.report)), row);
  }

  /** Takes work that nobody has: of people who have none in hand first, then in order of arrival. */
  claim(owner: string): Work | undefined {
    const { database } = this;
    return database.quickly(() => {
      const next = database.get<{ id: string }>(
        `SELECT s.id FROM work w JOIN submission s ON s.id = w.submission WHERE w.owner IS NULL
         ORDER BY (SELECT count(*) FROM work b JOIN submission t ON t.id = b.submission
                   WHERE b.owner IS NOT NULL AND t.person = s.person), s.accepted, s.rowid LIMIT 1`,
      );
      if (!next) return undefined;
      database.run("UPDATE work SET owner = ?, attempts = attempts + 1 WHERE submission = ?", owner, next.id);
      return this.work(next.id);
    });
  }

  /** What is to be graded, with its bytes; `undefined` when it is graded. */
  work(id: string): Work | undefined {
    const row = this.database.get<Omit<Work, "bytes"> & { bytes: ArrayBuffer }>(
      "SELECT s.id, s.person, s.assignment, s.file, s.bytes, w.attempts FROM work w JOIN submission s ON s.id = w.submission WHERE s.id = ?",
      id,
    );
    return row && { ...row, bytes: Buffer.from(row.bytes) };
  }

  /** Names this grading of a submission, apart from an earlier one that failed; `undefined` when it is graded. */
  ticket(id: string): string | undefined {
    return this.database.get<{ ticket: string }>("SELECT ticket FROM work WHERE submission = ?", id)?.ticket;
  }

  /** Gives work back: all of an owner's, or, when a service begins, everyone's. */
  release(owner?: string): void {
    if (owner === undefined) this.database.run("UPDATE work SET owner = NULL");
    else this.database.run("UPDATE work SET owner = NULL WHERE owner = ?", owner);
  }

  /** Ids of all that is not graded yet, in order of arrival. */
  pending(): string[] {
    return this.database
      .all<{ id: string }>(
        "SELECT s.id FROM work w JOIN submission s ON s.id = w.submission ORDER BY s.accepted, s.rowid",
      )
      .map(({ id }) => id);
  }

  /** @returns false for a submission that has its grade already: that one stays */
  record(id: string, report: Report): Promise<boolean> {
    const { database } = this;
    return database.together(() => {
      const work = database.get<{ attempts: number }>("SELECT attempts FROM work WHERE submission = ?", id);
      if (!work) return false;
      database.run("DELETE FROM work WHERE submission = ?", id);
      const { status, score } = report;
      const points = fullPoints(report);
      database.run(
        "INSERT INTO grade(submission, status, score, points, report, graded, attempts) VALUES (?, ?, ?, ?, ?, ?, ?)",
        ...[id, status, score, points, JSON.stringify(report), Date.now(), work.attempts],
      );
      return true;
    });
  }

  /** Grades anew what the grader failed at; no other grade is touched. @returns whether it did */
  again(id: string): boolean {
    const { database } = this;
    return database.transaction(() => {
      if (database.run("DELETE FROM grade WHERE submission = ? AND status = 'grader'", id) === 0)
        return false;
      database.run("INSERT INTO work(submission, ticket) VALUES (?, ?)", id, newTicket());
      return true;
    });
  }

  private submissionOf({ status, score: raw, points, graded, ...row }: Row): Submission {
    const { id, person, assignment, file, sha256, accepted } = row;
    const submission = { id, person, assignment, file, sha256, accepted };
    if (status === null) return submission;
    if (status !== "graded") return { ...submission, grade: { status, score: raw, raw, points, graded } };
    const late = this.decisions.lateness(submission);
    // Only what was decided by task needs the whole report.
    const isDecided = this.decisions.of(person, assignment).length > 0;
    const report = isDecided ? this.report(id) : undefined;
    const score = report ? finalScore(report) : Math.round(raw * (100 - (late?.percent ?? 0)) * 1e4) / 1e6;
    const total = report ? fullPoints(report) : points;
    return { ...submission, grade: { status, score, raw, ...(late && { late }), points: total, graded } };
  }
}

function newTicket(): string {
  return randomBytes(6).toString("hex");
}
