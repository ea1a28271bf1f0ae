/** Matrix products in other ways than the library's own: fewer multiplications, and the plainest split among threads. (Book, chapter 8.) */
export { productByRows, type RowSpan, type RowSplit } from "./by-rows.js";
export { measureStrassen, type StrassenTiming } from "./measure.js";
export { CROSSOVER, type StrassenCost, type StrassenOptions, strassen, strassenCost } from "./strassen.js";
