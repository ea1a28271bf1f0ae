/** Takes arguments. */
import { launch } from "../../../../../dist/robotics/ros/launch/description.js"; // without the rest of the library

export default launch(
  {
    robot: { description: "whose namespace", default: "/r1" },
    mode: { choices: ["fast", "slow"], description: "how" },
  },
  () => [],
);
