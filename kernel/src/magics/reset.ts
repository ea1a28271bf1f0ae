import { type Magic, noArguments } from "./magic.js";

export const reset: Magic = {
  name: "reset",
  usage: ["%reset"],
  summary: "forgets every variable, type, import and timer: the cells go on in a fresh process",
  form: "line",
  host: async ({ args, reset }) => {
    noArguments("%reset", args);
    await reset();
  },
};
