// expect: correct
// why: `await using`, a loop over tries, a function that answers in one line
async function concatService(options: NodeOptions): Promise<RosNode> {
  const node = await ros.createNode("concat_two_str_service", options);
  const answer = (request: { str1: string; str2: string }): { ret: string } => {
    node.logger.info(["Incoming request", `str1: ${request.str1}`, `str2: ${request.str2}`].join("\n"));
    return { ret: [request.str1, request.str2].join("") };
  };
  node.createService(ros.srv("my_interfaces/srv/ConcatTwoStr"), "/concat_two_str", answer);
  return node;
}

interface Patience {
  tries: number;
  timeout: number;
}

async function concatClient(options: NodeOptions, str1: string, str2: string, patience: Patience): Promise<string> {
  await using node = await ros.createNode("concat_two_str_client_async", options);
  using client = node.createClient(ros.srv("my_interfaces/srv/ConcatTwoStr"), "concat_two_str");
  let isThere = false;
  for (let left = patience.tries; left > 0 && !isThere; left--) {
    isThere = await client.waitForService({ timeout: 1 });
    if (!isThere) node.logger.info("service not available, waiting again...");
  }
  if (!isThere) throw new RangeError(`after ${patience.tries} tries: not available`);
  const answer = await client.call({ str1, str2 }, { timeout: patience.timeout });
  node.logger.info("Result of concat_two_str: (" + str1 + ", " + str2 + ") -> " + answer.ret);
  return answer.ret;
}
