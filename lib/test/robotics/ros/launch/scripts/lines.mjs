// A thousand lines, and one without an end.
for (let i = 0; i < 1000; i++) console.log(`line ${i}`);
process.stdout.write("no end of line");
