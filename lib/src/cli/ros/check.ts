/** Does an installation work? Asked in a process of its own: what crashes there crashes nothing here. */
import { fileURLToPath } from "node:url";
import { InstallError } from "../install/errors.js";
import { command } from "../install/steps.js";

const child = fileURLToPath(new URL("./check-child.js", import.meta.url));

export interface Checked {
  /** As rmw_fastrtps_cpp. */
  readonly middleware: string;
  readonly distro: string;
  /** Interface packages that are there. */
  readonly packages: number;
}

/** A topic and a service in that installation, over its middleware. @throws InstallError with why it does not work */
export async function checkRos(home: string, signal: AbortSignal): Promise<Checked> {
  const output = await command("checking: a topic, a service", process.execPath, [child], {
    env: { ...process.env, MLSYS_ROS_HOME: home },
    signal,
    explain,
  });
  const { heard, answered, ...checked } = JSON.parse(output.trim().split("\n").at(-1)!) as Checked & {
    heard: string;
    answered: string;
  };
  if (heard !== "Hello World: 0" || answered !== "HelloWorld")
    throw new InstallError(
      `ROS 2 loads but carries messages wrongly: heard "${heard}", answered "${answered}".`,
    );
  return checked;
}

function explain(output: string): string | undefined {
  const object = /(lib[\w.+-]+): cannot open shared object file/.exec(output)?.[1];
  if (object) return `${object} is missing; make the installation anew: npx mlsys ros install --force`;
  const glibc = /version [`'](GLIBC(?:XX)?_[\d.]+)' not found/.exec(output)?.[1];
  if (glibc) return `ROS 2's libraries want ${glibc}, this system is older.`;
  return /^RosError: (.*)$/m.exec(output)?.[1];
}
