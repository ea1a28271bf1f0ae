import { type Magic, noArguments } from "./magic.js";

export const js: Magic = {
  name: "js",
  usage: ["%%js"],
  summary: "the cell is JavaScript: checked with JSDoc's types, and without those that it leaves out",
  form: "cell",
  takes: "code",
  host: ({ args, javascript }) => {
    noArguments("%%js", args);
    javascript();
  },
};
