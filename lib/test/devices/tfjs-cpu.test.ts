import { piecesInUse } from "../../src/runtime/tfjs/memory.js";
import { useBackend } from "../support/tfjs.js";
import { describeConformance } from "./conformance.js";

await useBackend("cpu");
describeConformance("tfjs", { native: 110, pieces: piecesInUse });
