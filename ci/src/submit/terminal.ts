/** Handing in, told in a terminal. */
import colors from "picocolors";
import { printable, testsAsText } from "../report/terminal.js";
import { ago } from "./preview.js";
import type { Teller } from "./submit.js";

const STATE = {
  answered: colors.green("answered"),
  untouched: colors.yellow("untouched"),
  empty: colors.yellow("empty"),
};

export function terminalTeller(write: (text: string) => void): Teller {
  const line = (text = "") => write(`${text}\n`);
  let last = "";
  return {
    preview({ file, sha256, bytes, savedAgo, assignment, title, answers, warnings }, { server, person }) {
      line(`${colors.bold(printable(title))} (${printable(assignment)})`);
      line(`  ${printable(file)}, ${bytes.length} bytes, saved ${ago(savedAgo)}`);
      line(`  SHA-256 ${sha256}`);
      line(`  to ${printable(server)} as ${printable(person)}`);
      for (const answer of answers)
        line(
          `  ${printable(answer.title)}: ${STATE[answer.state]}, ${answer.lines} lines (${answer.gradeId})`,
        );
      for (const warning of warnings) line(colors.yellow(`! ${printable(warning)}`));
    },
    checks(report) {
      line();
      if (report.status !== "graded")
        line(colors.yellow(`! visible tests: ${printable(report.message ?? "")}`));
      else {
        line(colors.bold(`Visible tests: ${report.score} of ${report.points} points`));
        line(testsAsText(report));
      }
      line();
    },
    receipt({ id, sha256, accepted }, page) {
      line(colors.green(colors.bold(`Receipt ${id}`)));
      line(`  accepted ${accepted}`);
      line(`  SHA-256  ${sha256}`);
      line(`  ${page}`);
    },
    progress(words) {
      if (words !== last) line(colors.dim(words));
      last = words;
    },
    done({ status, score, points }, page) {
      if (status === "graded") line(colors.bold(`${score} of ${points} points`));
      else if (status === "invalid") line(colors.red(`It could not be graded: ${page} says why`));
      else
        line(
          colors.red("The grader failed. This is not your fault and not a score; your instructor sees it."),
        );
    },
  };
}
