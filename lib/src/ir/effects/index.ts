/** Side effects ordered by tokens. */
export { capture, type Effects, type Functional, functionalize } from "./capture.js";
export { type EffectHost, EffectLog, withEffects } from "./host.js";
