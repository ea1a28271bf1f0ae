import { type Magic, UsageError } from "./magic.js";

export const typecheck: Magic = {
  name: "typecheck",
  usage: ["%typecheck on", "%typecheck off", "%typecheck"],
  summary: "turns the type check on or off from this cell on; alone, says which it is",
  form: "line",
  words: ["on", "off"],
  host: ({ args, print, setTypeCheck, typeCheck }) => {
    if (args === "on" || args === "off") setTypeCheck(args === "on");
    else if (args !== "") throw new UsageError(`%typecheck takes on or off, found "${args}".`);
    print(`The type check is ${typeCheck() ? "on" : "off"}.\n`);
  },
};
