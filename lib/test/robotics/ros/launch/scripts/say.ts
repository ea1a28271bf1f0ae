/** Writes its arguments, and what its environment says. */
const words: readonly string[] = process.argv.slice(2);
console.log(`args ${JSON.stringify(words)}`);
if (process.env.GREETING) console.log(`greeting ${process.env.GREETING}`);
console.error("to stderr");
