import { type Magic, noArguments } from "./magic.js";

export const js: Magic = {
  name: "js",
  usage: ["%%js"],
  summary: "the cell is JavaScript: it runs unchecked, in the session like any other cell",
  form: "cell",
  takes: "code",
  host: ({ args, skipCheck }) => {
    noArguments("%%js", args);
    skipCheck();
  },
};
