/** `mlsys launch`: its arguments. */
import type { Command } from "commander";

export interface LaunchArguments {
  readonly showArgs: boolean;
}

export function addLaunch(program: Command): void {
  program
    .command("launch")
    .description("start the ROS nodes that a launch file describes, see to them, and end them together")
    .argument("<file>", "a module, JavaScript or TypeScript, whose default export is robotics.ros.launch(…)")
    .argument("[args...]", "arguments of the file, as name:=value")
    .option("-s, --show-args", "list the arguments that the file takes, and end", false)
    .action(async (file: string, args: string[], options: LaunchArguments) => {
      const { launchFile } = await import("./launch.js"); // only this needs the library
      await launchFile(file, args, options);
    });
}
