// npm test: installs what is missing, then lint, layers and all unit tests; with --all also the slow suites.
const [major] = process.versions.node.split(".").map(Number);
if (major < 20) {
  console.error(
    `Node 20 or later is needed, this is Node ${process.versions.node}: install one from https://nodejs.org.`,
  );
  process.exit(1);
}
const { main } = await import("./suites.mjs");
process.exitCode = await main(process.argv.slice(2));
