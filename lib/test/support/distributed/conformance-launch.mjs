// The conformance suite on ranks that are threads.
const { distributed } = await import(new URL("../../../dist/index.js", import.meta.url).href);

export const run = (size) =>
  distributed.launch(
    size,
    async (group, library, suite) => {
      const [mlsys, { check }] = await Promise.all([import(library), import(suite)]);
      return { rank: group.rank, backend: group.backend, failures: await check(group, mlsys) };
    },
    {
      args: [
        new URL("../../../dist/index.js", import.meta.url).href,
        new URL("conformance.mjs", import.meta.url).href,
      ],
      timeout: 60_000,
    },
  );
