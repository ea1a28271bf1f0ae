/**
 * What instructors decide and what lateness costs. It lies over the grades, which stay what the grader gave: a decision is
 * about a person and an assignment, and stands whatever is handed in or graded after it.
 */
import { decided } from "../batch/decisions.js";
import { type Override, overrideSchema } from "../batch/log.js";
import { lateness, type Settings } from "../batch/settings.js";
import type { Report } from "../judge/report.js";
import type { Database } from "./database.js";

/** Whose submission a grade is of. */
export interface Handed {
  person: string;
  assignment: string;
  /** Milliseconds since 1970. */
  accepted: number;
}

export type NewDecision = Omit<Override, "type" | "at">;

export class Decisions {
  constructor(
    private readonly database: Database,
    private readonly settings: Settings,
  ) {}

  add(decision: NewDecision): void {
    const line: Override = { type: "override", ...decision, at: new Date().toISOString() };
    const { student, assignment } = line;
    this.database.run(
      "INSERT INTO decision(person, assignment, line) VALUES (?, ?, ?)",
      student,
      assignment,
      JSON.stringify(overrideSchema.parse(line)),
    );
  }

  /** The oldest first. */
  of(person: string, assignment: string): Override[] {
    return this.database
      .all<{ line: string }>(
        "SELECT line FROM decision WHERE person = ? AND assignment = ? ORDER BY id",
        person,
        assignment,
      )
      .map(({ line }) => overrideSchema.parse(JSON.parse(line)));
  }

  /** The report as it counts. */
  decide(report: Report, { person, assignment, accepted }: Handed): Report {
    const handed = { student: person, assignment, submittedAt: new Date(accepted).toISOString() };
    return decided({ ...report, ...handed }, this.of(person, assignment), this.settings);
  }

  lateness({ person, assignment, accepted }: Handed): Report["late"] {
    const submittedAt = new Date(accepted).toISOString();
    return lateness(this.settings, { student: person, assignment, submittedAt });
  }

  /** When an assignment is due for a person; ISO 8601. */
  due(person: string, assignment: string): string | undefined {
    const { extensions, assignments } = this.settings;
    return extensions[person]?.[assignment] ?? assignments[assignment]?.due;
  }
}
