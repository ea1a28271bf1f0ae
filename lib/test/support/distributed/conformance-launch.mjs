// The conformance suite on ranks that are threads of this process: prints what went wrong as JSON, a line for each rank.
const library = new URL("../../../dist/index.js", import.meta.url).href;
const suite = new URL("conformance.mjs", import.meta.url).href;
const { distributed } = await import(library);

const reports = await distributed.launch(
  Number(process.argv[2]),
  async (group, library, suite) => {
    const [mlsys, { check }] = await Promise.all([import(library), import(suite)]);
    return { rank: group.rank, backend: group.backend, failures: await check(group, mlsys) };
  },
  { args: [library, suite], timeout: 60_000 },
);
for (const report of reports) console.log(JSON.stringify(report));
