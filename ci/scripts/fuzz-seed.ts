/**
 * Property tests draw the same cases in every run, so that a change is judged by what it changed. Other cases:
 * `MLSYS_SEED=random npx vitest run …`, or a number that fast-check printed.
 */
import fc from "fast-check";

const asked = process.env.MLSYS_SEED;
if (asked !== "random") fc.configureGlobal({ seed: asked === undefined ? 20261127 : Number(asked) });
