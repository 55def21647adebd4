// A program of tests/node/clients with the packages of an entry's environment.
//
//     node typescript_client.mjs ENVIRONMENT PROGRAM OPEN QUIET MODE NAME
//
// Rule 1: a package is looked for in ENVIRONMENT only, never beside the program, so the entry's lock decides the version.
import { registerHooks } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [environment, program, ...rest] = process.argv.slice(2);
const installed = pathToFileURL(join(environment, "package.json")).href;
const clients = new URL("../../node/clients/", import.meta.url);

registerHooks({
  resolve(specifier, context, next) {
    const ours = context.parentURL?.startsWith(clients.href) && !specifier.startsWith(".");
    return next(specifier, ours ? { ...context, parentURL: installed } : context);
  },
});
process.argv.splice(2, Infinity, ...rest);
await import(new URL(`${program}.mjs`, clients));
