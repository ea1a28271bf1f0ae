/** `mlsys ros doctor`: what is there for ROS 2, what is missing, what to do. */
import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import colors from "picocolors";
import {
  interfacePackages,
  type RosInstallation,
  rosHome,
  rosInstallationAt,
  sourcedRos,
} from "../../robotics/ros/rcl/place.js";
import { findCompiler } from "../install/addon.js";
import { InstallError } from "../install/errors.js";
import { findNodeHeaders, releaseNumber } from "./addon.js";
import { checkRos } from "./check.js";
import { checkPlatform, findPython, pythonBuild } from "./python.js";

export interface Finding {
  readonly what: string;
  /** `missing`: ROS 2 does not work without it; `note`: it does, with less. */
  readonly state: "good" | "note" | "missing";
  readonly detail: string;
}

/** Looks at everything, installs nothing. */
export async function examine(home: string = rosHome(), signal: AbortSignal): Promise<Finding[]> {
  const findings: Finding[] = [];
  const look = async (what: string, find: () => Promise<string> | string) => {
    try {
      findings.push({ what, state: "good", detail: await find() });
    } catch (error) {
      if (!(error instanceof InstallError)) throw error;
      findings.push({ what, state: "missing", detail: error.message });
    }
  };
  const note = (what: string, detail: string) => findings.push({ what, state: "note", detail });

  const sourced = sourcedRos();
  if (sourced) {
    await look("ROS 2", () => {
      releaseNumber(sourced.distro);
      return `${sourced.distro}, sourced: ${sourced.prefixes.join(", ")}`;
    });
  } else {
    await look("platform", () => {
      checkPlatform();
      return `${process.platform} ${process.arch}: PyPI's wheels of ROS 2 serve`;
    });
    await look("Python", async () => {
      const { executable, version } = await findPython();
      return `${version}, ${executable}`;
    });
  }
  await look("C++ compiler", findCompiler);
  const headers = findNodeHeaders();
  if (headers) findings.push({ what: "Node's headers", state: "good", detail: headers });
  else note("Node's headers", "none here: they are fetched from PyPI (60 MB)");

  const ros = rosInstallationAt(home);
  if (!ros) {
    const begun = existsSync(join(home, "done")) ? "begun, not finished" : "not there";
    findings.push({
      what: "installation",
      state: "missing",
      detail: `${begun} (${home}): npx mlsys ros install`,
    });
    return findings;
  }
  findings.push({ what: "installation", state: "good", detail: `${ros.distro} (${ros.source}) in ${home}` });
  await look("works", async () => {
    const { middleware, packages } = await checkRos(home, signal);
    return `a topic and a service went over ${middleware}; ${packages} interface packages`;
  });
  await examinePython(ros, findings);
  return findings;
}

/** rclpy's half: without it nodes of ours run all the same. */
async function examinePython(ros: RosInstallation, findings: Finding[]): Promise<void> {
  const build = await pythonBuild(ros.python).catch(() => null);
  if (!build) {
    findings.push({ what: "rclpy", state: "note", detail: `${ros.python} does not run` });
    return;
  }
  const site = join(ros.target, "lib", `python${build.version}`, "site-packages");
  const own = [...interfacePackages([ros.target]).keys()].filter((name) => !existsSync(join(site, name)));
  findings.push(
    own.length === 0
      ? { what: "rclpy", state: "good", detail: `${ros.python}: has every interface package` }
      : {
          what: "rclpy",
          state: "note",
          detail: `lacks ${own.join(", ")}${build.hasHeaders ? "" : ": Python's headers are missing (Debian, Ubuntu: apt install python3-dev)"}; then: npx mlsys ros install --force`,
        },
  );
}

const MARKS = { good: colors.green("✓"), note: colors.yellow("–"), missing: colors.red("✗") } as const;

export function findingsAsText(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ what }) => what.length));
  return findings
    .map(({ what, state, detail }) => `${MARKS[state]} ${what.padEnd(width)}  ${detail}`)
    .join("\n");
}

/** What an installation costs, said before it begins. */
export const COST = `about 60 MB to fetch, 350 MB on disk, a minute or two on ${availableParallelism() > 1 ? "two cores" : "one core"}`;
