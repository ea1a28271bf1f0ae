// npm start: installs what is missing, then serves JupyterLab on the notebooks until Ctrl-C.
const [major] = process.versions.node.split(".").map(Number);
if (major < 20) {
  console.error(
    `Node 20 or later is needed, this is Node ${process.versions.node}: install one from https://nodejs.org.`,
  );
  process.exit(1);
}
const { main } = await import("./jupyter.mjs");
process.exitCode = await main(process.argv.slice(2));
