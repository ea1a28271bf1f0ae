// npm test: installs what is missing, then lint, layers and all unit tests; with --all also the slow suites.
const [major] = process.versions.node.split(".").map(Number);
if (major < 20) {
  console.error(
    `Node 20 or later is needed, this is Node ${process.versions.node}: install one from https://nodejs.org.`,
  );
  process.exit(1);
}
const { command } = await import("./steps.mjs");
const { main, usage } = await import("./suites.mjs");
await command(usage, main);
