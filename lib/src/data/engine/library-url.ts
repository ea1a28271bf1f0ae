/** The library's own module, as users have it: the one from which tensors get all their methods. */
export const LIBRARY = new URL("../../index.js", import.meta.url).href;
