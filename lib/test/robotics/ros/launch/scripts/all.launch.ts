import { robotics } from "mlsys";

const { launch } = robotics.ros;

export default launch(
  {
    robot: { default: "/r1" },
    mode: {},
  },
  ({ args }) => [
    launch.group({ namespace: args.robot, env: { GREETING: "hello" }, remap: { scan: "laser" } }, [
      launch.group({ namespace: "arm", parameters: { rate: 1, names: ["a", "b c"] } }, [
        launch.node({
          script: "say.ts",
          name: "hand",
          args: [args.mode],
          remap: { image: "/camera" },
          parameters: { rate: 2.5, limits: { low: -1, on: true }, title: 'the "hand"' },
        }),
      ]),
      launch.node({ script: new URL("./say.ts", import.meta.url) }),
      launch.node({ script: "say.ts", namespace: "/" }),
      false,
    ]),
    launch.execute({ command: "sh", args: ["-c", 'echo "$GREETING sh"; exit 3'], env: { GREETING: "hi" } }),
    launch.log(`mode ${args.mode}`),
  ],
);
