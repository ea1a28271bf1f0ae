// expect: wrong 7/9
// fails: gives up
// why: gives up after the try after the last
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
  try {
    const client = node.createClient(ros.srv("my_interfaces/srv/ConcatTwoStr"), "concat_two_str");
    for (let tried = 0; !(await client.waitForService({ timeout: 1.0 })); ) {
      node.logger.info("service not available, waiting again...");
      if (++tried > tries) throw new Error("service concat_two_str is not available");
    }
    const { ret } = await client.call({ str1, str2 }, { timeout });
    node.logger.info(`Result of concat_two_str: (${str1}, ${str2}) -> ${ret}`);
    return ret;
  } finally {
    await node.destroy();
  }
}
