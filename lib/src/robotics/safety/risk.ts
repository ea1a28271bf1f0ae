/** Risk assessment whose mitigations are carried out: each is a check that runs. "A plan that is not carried out is no plan." (Book, 14.6.) */
import { displaySymbol, escapeHtml, type MimeBundle } from "../../core/display.js";
import { ValueError } from "../../core/errors.js";

/** How bad, how often: 1 (scratch; hardly ever) to 5 (death; all the time). */
export type Grade = 1 | 2 | 3 | 4 | 5;

export interface Mitigation {
  readonly description: string;
  /** Shows that it works: true, or what is wrong. */
  readonly check: () => boolean | string | Promise<boolean | string>;
  /** How bad and how often with it. */
  readonly severity?: Grade;
  readonly likelihood: Grade;
}

export interface Hazard {
  readonly hazard: string;
  readonly severity: Grade;
  readonly likelihood: Grade;
  readonly mitigations: readonly Mitigation[];
}

export interface AssessedHazard {
  readonly hazard: string;
  /** severity × likelihood, 1 to 25, before and after. */
  readonly before: number;
  readonly after: number;
  readonly mitigations: readonly { readonly description: string; readonly failure: string | null }[];
}

/** Risks of at least this are not acceptable (of 25). */
const ACCEPTABLE = 6;

/**
 * Runs the checks of all mitigations: only those that pass lower the risk.
 * @throws ValueError for a hazard without name, or grades outside of 1 … 5
 * @example
 * const mitigations = [{ description: "lidar stop", likelihood: 1 as const, check: () => true }];
 * const risks = await robotics.safety.assessRisks([{ hazard: "hits a person", severity: 5, likelihood: 3, mitigations }]);
 * risks.hazards[0].after; // 5
 */
export async function assessRisks(hazards: readonly Hazard[]): Promise<RiskAssessment> {
  const assessed: AssessedHazard[] = [];
  for (const { hazard, severity, likelihood, mitigations } of hazards) {
    for (const grade of [
      severity,
      likelihood,
      ...mitigations.flatMap((m) => [m.severity ?? 1, m.likelihood]),
    ])
      if (![1, 2, 3, 4, 5].includes(grade))
        throw new ValueError(`risk of "${hazard}": grades are 1 to 5, got ${grade}`);
    const before = severity * likelihood;
    let after = before;
    const done: AssessedHazard["mitigations"][number][] = [];
    for (const mitigation of mitigations) {
      const failure = await failureOf(mitigation);
      done.push({ description: mitigation.description, failure });
      if (failure === null)
        after = Math.min(after, (mitigation.severity ?? severity) * mitigation.likelihood);
    }
    assessed.push({ hazard, before, after, mitigations: done });
  }
  return new RiskAssessment(assessed);
}

async function failureOf({ check }: Mitigation): Promise<string | null> {
  try {
    const result = await check();
    if (result === true) return null;
    return result === false ? "the check failed" : String(result);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** A table in notebooks. */
export class RiskAssessment {
  constructor(readonly hazards: readonly AssessedHazard[]) {}

  /** Hazards that are too risky still. */
  get open(): readonly AssessedHazard[] {
    return this.hazards.filter(({ after }) => after >= ACCEPTABLE);
  }

  toString(): string {
    return this.hazards
      .map(({ hazard, before, after, mitigations }) => {
        const lines = mitigations.map(
          (m) =>
            `  ${m.failure === null ? "✓" : "✗"} ${m.description}${m.failure === null ? "" : `: ${m.failure}`}`,
        );
        return [`${hazard}: ${before} → ${after}${after >= ACCEPTABLE ? " (too high)" : ""}`, ...lines].join(
          "\n",
        );
      })
      .join("\n");
  }

  [displaySymbol](): MimeBundle {
    const colour = (risk: number): string =>
      risk >= 12 ? "#d55e00" : risk >= ACCEPTABLE ? "#e69f00" : "#009e73";
    const cell = (risk: number): string =>
      `<td style="text-align:center;color:white;background:${colour(risk)}">${risk}</td>`;
    const rows = this.hazards.map(({ hazard, before, after, mitigations }) => {
      const list = mitigations
        .map(
          (m) =>
            `${m.failure === null ? "✓" : "✗"} ${escapeHtml(m.description)}${m.failure === null ? "" : ` <b>${escapeHtml(m.failure)}</b>`}`,
        )
        .join("<br>");
      return `<tr><td style="text-align:left">${escapeHtml(hazard)}</td>${cell(before)}<td style="text-align:left">${list}</td>${cell(after)}</tr>`;
    });
    return {
      "text/html": `<table><tr><th>hazard</th><th>risk</th><th>mitigations, carried out</th><th>left</th></tr>${rows.join("")}</table>`,
      "text/plain": this.toString(),
    };
  }
}
