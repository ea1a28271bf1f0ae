/** What stays until it is ended: a script that computes, a program, and a program's child. */
import { launch } from "../../../../../dist/robotics/ros/launch/description.js"; // without the rest of the library

export default launch(({ args }) => [
  launch.node({ script: "busy.mjs", args: [`${args.folder}/busy.pid`] }),
  launch.execute({
    command: "sh",
    args: ["-c", `sleep 100000 & echo $! > ${args.folder}/child.pid; echo $$ > ${args.folder}/sh.pid; wait`],
  }),
]);
