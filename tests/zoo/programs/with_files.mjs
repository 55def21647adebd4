// Run a program after a directory has been filled with a few files: node with_files.mjs DIRECTORY PROGRAM ARGUMENTS...
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";

// What remains are the arguments of the program, as if it had been started itself.
const [, directory] = process.argv.splice(1, 2);
mkdirSync(join(directory, "notes"), { recursive: true });
writeFileSync(join(directory, "notes/today.txt"), "Buy milk.\nBring it home.\n");
writeFileSync(join(directory, "notes/tomorrow.txt"), "Drink it – or bake with it.\n");
writeFileSync(join(directory, "dot.png"), Buffer.from(DOT, "base64"));
await import(pathToFileURL(process.argv[1]));
