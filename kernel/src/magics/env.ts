import { type Magic, UsageError } from "./magic.js";

export const env: Magic = {
  name: "env",
  usage: ["%env", "%env NAME", "%env NAME=VALUE"],
  summary: "shows the environment or one variable of it, or sets one",
  form: "line",
  run: ({ args, print }) => {
    const [, name, set, value] = /^([^=\s]*)\s*(=?)\s*([\s\S]*)$/.exec(args)!;
    if (set) {
      if (!name) throw new UsageError("%env: a name is missing before the =.");
      process.env[name] = value;
      return;
    }
    if (value) throw new UsageError(`%env takes one name, or NAME=VALUE, found "${args}".`);
    if (name) print(name in process.env ? `${process.env[name]}\n` : `${name} is not set.\n`);
    else
      print(
        Object.entries(process.env)
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([key, text]) => `${key}=${text}\n`)
          .join(""),
      );
  },
};
