/** The book's action server; its greeting comes from a parameter. */
import * as ros from "mlsys/ros";

const node = await ros.createNode("my_sum_action_server");
const greeting = node.declareParameter("greeting", "hello");
node.createActionServer(ros.action("my_interfaces/action/MySum"), "my_sum", {
  execute(goal) {
    console.log(`${greeting} from ${node.fullyQualifiedName}`);
    let sum = 0;
    for (const value of goal.request.list) {
      sum += value;
      goal.publishFeedback({ sum_so_far: sum });
    }
    return goal.succeed({ sum });
  },
});
await ros.spin(node);
