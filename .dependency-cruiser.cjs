/** Who may import whom: the rooms, and the layers of the library from the ground up. */
const LAYERS = [
  "core",
  "runtime",
  "ops",
  "ir",
  "autodiff",
  "graph",
  "compiler",
  "viz",
  "nn",
  "optim",
  "data",
  "train",
  "deploy",
  "distributed",
  "federated",
  "recsys",
  "rl",
  "xai",
  "robotics",
  "cli",
];

const layerRules = LAYERS.slice(0, -1).map((layer, i) => ({
  name: `${layer}-imports-only-from-below`,
  severity: "error",
  from: { path: `^lib/src/${layer}/`, pathNot: "\\.test\\.ts$" },
  to: { path: `^lib/src/(${LAYERS.slice(i + 1).join("|")})/` },
}));

module.exports = {
  forbidden: [
    ...layerRules,
    {
      name: "no-cycles",
      severity: "error",
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
    },
    {
      name: "no-tests-in-sources",
      severity: "error",
      from: { pathNot: "\\.test\\.ts$" },
      to: { path: "\\.test\\.ts$" },
    },
    {
      name: "lib-stands-alone",
      severity: "error",
      from: { path: "^lib/src" },
      to: { path: "^(kernel|ci)/" },
    },
    {
      name: "kernel-stands-alone",
      severity: "error",
      from: { path: "^kernel/src" },
      to: { path: "^(lib|ci)/" },
    },
    {
      name: "ci-knows-no-sources",
      severity: "error",
      from: { path: "^ci/src" },
      to: { path: "^(lib|kernel)/src" },
    },
    {
      name: "no-unresolvable",
      severity: "error",
      from: { pathNot: "\\.test\\.ts$" },
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.base.json" },
    exclude: { path: "(^|/)dist/" },
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "types", "default"] },
  },
};
