/** What a device can run, and how graphs are made to fit it. */
export { limitConcat } from "./limits.js";
