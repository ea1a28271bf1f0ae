/** The book's action client. */
import * as ros from "mlsys/ros";

const node = await ros.createNode("my_sum_action_client");
const client = node.createActionClient(ros.action("my_interfaces/action/MySum"), "my_sum");
const list = process.argv.slice(2, 5).map(Number);
const goal = await client.sendGoal({ list });
for await (const { sum_so_far } of goal.feedback) console.log(`feedback ${sum_so_far}`);
const { status, result } = await goal.result;
console.log(`${status} ${result.sum}`);
await node.destroy();
