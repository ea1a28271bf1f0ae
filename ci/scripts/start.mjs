// npm start: installs what is missing, then serves JupyterLab on the notebooks until Ctrl-C.
const [major] = process.versions.node.split(".").map(Number);
if (major < 20) {
  console.error(
    `Node 20 or later is needed, this is Node ${process.versions.node}: install one from https://nodejs.org.`,
  );
  process.exit(1);
}
const { command } = await import("./steps.mjs");
const { main, usage } = await import("./jupyter.mjs");
await command(usage, main);
