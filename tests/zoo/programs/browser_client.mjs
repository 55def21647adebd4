// The conversation of tests/node/clients/typescript2.mjs, held by a page in headless Chromium.
//
//     node browser_client.mjs NODE_MODULES ORIGIN URL MODE NAME
//
// Rule 1: the page comes from ORIGIN, which this program serves; the server at URL has another origin, so Chromium asks
// it by preflights, and shows the page only what the server lets pages of ORIGIN read.
// Rule 2: the same page of an origin that the server does not know (`foreign`) must read nothing.
// Rule 3: the page ends with an error that it did not catch, or with the steps on its console.
import { spawnSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const [modules, origin, url, mode, name] = process.argv.slice(2);
const installed = createRequire(join(modules, "package.json"));
const { chromium } = installed("playwright-core");
const program = fileURLToPath(new URL("../../node/clients/typescript2.mjs", import.meta.url));
const FOREIGN = "http://foreign.example";
const PATIENCE = 120_000;

// What the program reads of Node.js: its arguments, and how to end.
const NODE_FOR_PAGES = `globalThis.process = { argv: ["", "", ...${JSON.stringify([url, "", mode, name])}], exit() {} };`;

async function bundled() {
  const made = await installed("esbuild").build({
    entryPoints: [program],
    bundle: true,
    write: false,
    format: "esm",
    platform: "browser",
    target: "es2022",
    nodePaths: [modules],
    banner: { js: NODE_FOR_PAGES },
  });
  return made.outputFiles[0].text;
}

function served(script) {
  const page = `<!doctype html><title>client</title><script type="module" src="/client.js"></script>`;
  const answers = { "/": ["text/html", page], "/client.js": ["text/javascript", script], "/empty": ["text/html", ""] };
  const server = createServer((request, response) => {
    const [type, body] = answers[request.url] ?? [];
    response.writeHead(body === undefined ? 404 : 200, { "content-type": type ?? "text/plain" }).end(body);
  });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}

function launched(port) {
  const found = spawnSync("sh", ["-c", "command -v chromium"], { encoding: "utf8" }).stdout.trim();
  const pages = [origin, FOREIGN].map((page) => `MAP ${new URL(page).hostname}:80 127.0.0.1:${port}`).join(", ");
  return chromium.launchPersistentContext(mkdtempSync(join(process.cwd(), "profile-")), {
    executablePath: found || "chromium",
    args: [
      ...["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"],
      ...["--disable-background-networking", "--disable-component-update"],
      `--host-resolver-rules=${pages}`,
      `--unsafely-treat-insecure-origin-as-secure=${origin}`,
    ],
  });
}

function steps(page) {
  return new Promise((resolve, reject) => {
    const printed = [];
    page.on("console", (message) => {
      printed.push(message.text());
      if (message.type() === "log" && message.text().startsWith("{")) resolve(JSON.parse(message.text()));
    });
    page.on("pageerror", (error) => reject(new Error(`${error.stack}\n${printed.join("\n")}`)));
    setTimeout(() => reject(new Error(`the page did not end:\n${printed.join("\n")}`)), PATIENCE).unref();
  });
}

// The methods that preflights of a page asked for.
async function watched(context, page) {
  const preflights = new Set();
  const tools = await context.newCDPSession(page);
  await tools.send("Network.enable");
  tools.on("Network.requestWillBeSent", ({ request }) => {
    if (request.method === "OPTIONS") preflights.add(request.headers["Access-Control-Request-Method"]);
  });
  return preflights;
}

async function foreign(context) {
  const page = await context.newPage();
  await page.goto(`${FOREIGN}/empty`);
  const read = await page.evaluate(async (server) => {
    const message = { jsonrpc: "2.0", id: 1, method: "ping" };
    const headers = { "content-type": "application/json", accept: "application/json, text/event-stream" };
    try {
      return (await fetch(server, { method: "POST", headers, body: JSON.stringify(message) })).status;
    } catch (error) {
      return error.name;
    }
  }, url);
  await page.close();
  return read;
}

const server = await served(await bundled());
const context = await launched(server.address().port);
try {
  const page = await context.newPage();
  const preflights = await watched(context, page);
  const [conversation] = await Promise.all([steps(page), page.goto(`${origin}/`)]);
  console.log(JSON.stringify({ ...conversation, preflights: [...preflights].sort(), foreign: await foreign(context) }));
} finally {
  await context.close();
  server.close();
}
