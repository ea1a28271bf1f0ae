/** No isolation: the code runs as the grader's own user. For code that one trusts. */
import { envIn, type LevelSpec } from "./command.js";

export const none: LevelSpec = {
  level: "none",
  title: "none: the code runs as you, with your files and your network",
  programs: {},
  wrap: ({ argv, env, view }, { scratch }) => ({ argv: [...argv], env: envIn(env, scratch), cwd: view.cwd }),
};
