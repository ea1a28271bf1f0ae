// expect: wrong 8/9
// fails: leaves no node behind
// why: an error leaves the node in the graph
async function concatService(options: NodeOptions): Promise<RosNode> {
  const node = await ros.createNode("concat_two_str_service", options);
  node.createService(ros.srv("my_interfaces/srv/ConcatTwoStr"), "concat_two_str", ({ str1, str2 }) => {
    node.logger.info(`Incoming request\nstr1: ${str1}\nstr2: ${str2}`);
    return { ret: str1 + str2 };
  });
  return node;
}

interface Patience {
  tries: number;
  /** Seconds for the call. */
  timeout: number;
}

async function concatClient(
  options: NodeOptions,
  str1: string,
  str2: string,
  { tries, timeout }: Patience,
): Promise<string> {
  const node = await ros.createNode("concat_two_str_client_async", options);
    const client = node.createClient(ros.srv("my_interfaces/srv/ConcatTwoStr"), "concat_two_str");
    for (let tried = 0; !(await client.waitForService({ timeout: 1.0 })); ) {
      node.logger.info("service not available, waiting again...");
      if (++tried === tries) throw new Error("service concat_two_str is not available");
    }
    const { ret } = await client.call({ str1, str2 }, { timeout });
    node.logger.info(`Result of concat_two_str: (${str1}, ${str2}) -> ${ret}`);
    await node.destroy();
    return ret;
}
