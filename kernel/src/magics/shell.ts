import { CommandError } from "./bash.js";
import type { Magic } from "./magic.js";

export const shell: Magic = {
  name: "!",
  usage: ["!COMMAND"],
  summary: "runs a command in the system's shell; an exit code other than 0 is an error",
  form: "line",
  run: async ({ args, spawn }) => {
    const code = await spawn(args, [], { shell: true });
    if (code !== 0) throw new CommandError(`!${args} ended with exit code ${code}.`);
  },
};
