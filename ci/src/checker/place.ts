/** Boxes whose kernels leave the type check to one checker that they share. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Place } from "../batch/grade-file.js";
import type { Isolation } from "../sandbox/ladder.js";
import type { BoxLimits } from "../sandbox/limits.js";
import { viewFor } from "../sandbox/view.js";
import { bareBoxes, boxes } from "../session/open.js";
import { SharedChecker } from "./checker.js";

export function sharingChecker(
  isolation: Isolation,
  limits: BoxLimits,
  { warm = 0, readable = [] }: { warm?: number; readable?: readonly string[] } = {},
): Place {
  // There the kernel runs beside the grader, and checks itself.
  if (isolation.level === "none" && process.platform === "win32")
    return { isolation, open: boxes({ isolation, limits, warm, readable }) };
  const checkers = new Map<string, SharedChecker>();
  const bare = bareBoxes({ isolation, limits, warm, readable });
  return {
    isolation,
    open: boxes({ isolation, limits, warm, readable, env: { MLSYS_TYPECHECK: "off", MLSYS_WARM: "off" } }),
    // The settings of a folder are the kernel's to read.
    openBare: (cwd) => (existsSync(join(cwd, "tsconfig.json")) ? undefined : bare(cwd)),
    checker: (cwd) => {
      const checker =
        checkers.get(cwd) ?? new SharedChecker({ isolation, limits, view: viewFor(cwd, readable) });
      checkers.set(cwd, checker);
      return checker;
    },
  };
}
