// The reference behavior of the zoo's servers on the TypeScript SDK 2.x:
//
//     node typescript2.mjs ENVIRONMENT PORT [stateless | json]
//
// It serves revision 2026-07-28 and the older ones. Without a mode the older revisions have sessions. `stateless` is
// the SDK's handler as it is, which serves them without sessions; `json` is that, and 2026-07-28 has no event streams.
// The last mode counts.
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { createRequire } from "node:module";

const [environment, port, ...modes] = process.argv.slice(2);
const mode = modes.at(-1) ?? "sessions";
const load = createRequire(`${environment}/`);
const {
  completable,
  createMcpHandler,
  inputRequired,
  inputResponse,
  isLegacyRequest,
  McpServer,
  ResourceTemplate,
  WebStandardStreamableHTTPServerTransport,
} = load("@modelcontextprotocol/server");
const { localhostHostValidation, localhostOriginValidation, toNodeHandler } = load("@modelcontextprotocol/node");
const { z } = load("zod");

const DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";
const NAME = { type: "object", properties: { name: { type: "string" } }, required: ["name"] };
const NOTE = { uri: "note://today", mimeType: "text/plain", text: "Buy milk." };

const deleted = [];
let canceled = 0;

const text = (said) => ({ content: [{ type: "text", text: said }] });
const starting = (words) => (value) => words.filter((word) => word.startsWith(value ?? ""));

function sorted(value) {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted(value[key])]));
}

async function progress(extra, done, total) {
  const progressToken = extra.mcpReq._meta?.progressToken;
  if (progressToken === undefined) return;
  const params = { progressToken, progress: done, ...(total === undefined ? {} : { total }) };
  await extra.mcpReq.notify({ method: "notifications/progress", params });
}

function canceledWithin(seconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), seconds * 1000);
    const stop = () => {
      clearTimeout(timer);
      resolve(true);
    };
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
}

function addPlainTools(server) {
  const pair = z.object({ a: z.int(), b: z.int() });
  server.registerTool("add", { description: "Add two numbers.", inputSchema: pair }, ({ a, b }) =>
    text(String(a + b)),
  );
  server.registerTool(
    "delete_note",
    { description: "Delete a note.", inputSchema: z.object({ id: z.string() }), annotations: { destructiveHint: true } },
    ({ id }) => {
      deleted.push(id);
      return text(`deleted ${id}`);
    },
  );
  server.registerTool("deleted_notes", { description: "Return which notes were deleted." }, () =>
    text(deleted.join(" ") || "none"),
  );
  server.registerTool("fail", { description: "Fail." }, () => {
    throw new Error("it broke");
  });
  server.registerTool("kinds", { description: "Return one content of each kind." }, () => ({
    content: [
      { type: "text", text: "a text" },
      { type: "image", data: DOT, mimeType: "image/png" },
      { type: "resource", resource: NOTE },
      { type: "resource_link", uri: "note://today", name: "today", mimeType: "text/plain" },
    ],
  }));
  const value = z.object({ value: z.record(z.string(), z.unknown()) });
  server.registerTool(
    "echo_object",
    { description: "Return an object.", inputSchema: value, outputSchema: value },
    (args) => ({ ...text(JSON.stringify(sorted(args.value))), structuredContent: { value: args.value } }),
  );
}

function addLongTools(server) {
  const steps = z.object({ to: z.int() });
  server.registerTool("count", { description: "Count.", inputSchema: steps }, async ({ to }, extra) => {
    for (let done = 1; done <= to; done += 1) await progress(extra, done, to);
    return text("counted");
  });
  const time = z.object({ seconds: z.int() });
  server.registerTool("wait", { description: "Wait.", inputSchema: time }, async ({ seconds }, extra) => {
    await progress(extra, 0);
    if (await canceledWithin(seconds, extra.mcpReq.signal)) canceled += 1;
    return text("waited");
  });
  server.registerTool("canceled_waits", { description: "Return how many waits were canceled." }, () =>
    text(String(canceled)),
  );
}

function addAskingTools(server) {
  // A question is a result that requires input; the SDK turns it into a request of its own in the older revisions.
  server.registerTool("sample", { description: "Ask the client's model." }, (extra) => {
    const sampled = inputResponse(extra.mcpReq.inputResponses, "word");
    if (sampled.kind === "sampling") return text(`sampled: ${sampled.result.content.text}`);
    const messages = [{ role: "user", content: { type: "text", text: "Say a word." } }];
    return inputRequired({ inputRequests: { word: inputRequired.createMessage({ messages, maxTokens: 100 }) } });
  });
  server.registerTool("ask", { description: "Ask the user." }, (extra) => {
    const answered = inputResponse(extra.mcpReq.inputResponses, "person");
    if (answered.kind === "elicit") return text(`asked: ${answered.content?.name}`);
    const person = inputRequired.elicit({ mode: "form", message: "Who are you?", requestedSchema: NAME });
    return inputRequired({ inputRequests: { person } });
  });
}

function addResourcesAndPrompts(server) {
  server.registerResource("today", "note://today", { mimeType: "text/plain" }, () => ({ contents: [NOTE] }));
  server.registerResource("dot", "image://dot", { mimeType: "image/png" }, () => ({
    contents: [{ uri: "image://dot", mimeType: "image/png", blob: DOT }],
  }));
  const complete = { id: starting(["today", "tomorrow"]) };
  const template = new ResourceTemplate("note://{id}", { list: undefined, complete });
  server.registerResource("note", template, { mimeType: "text/plain" }, (uri, { id }) => ({
    contents: [{ uri: uri.href, mimeType: "text/plain", text: `note ${id}` }],
  }));
  const argsSchema = z.object({ name: completable(z.string(), starting(["Ada", "Alan", "Grace"])) });
  server.registerPrompt("greet", { description: "Greet a person.", argsSchema }, ({ name }) => ({
    messages: [{ role: "user", content: { type: "text", text: `Hello, ${name}!` } }],
  }));
}

function newServer() {
  const server = new McpServer({ name: "zoo", version: "1.0.0" }, { instructions: "Use add for sums." });
  addPlainTools(server);
  addLongTools(server);
  addAskingTools(server);
  addResourcesAndPrompts(server);
  return server;
}

const transports = new Map();

async function newTransport() {
  const transport = new WebStandardStreamableHTTPServerTransport({
    sessionIdGenerator: () => randomUUID(),
    onsessioninitialized: (id) => transports.set(id, transport),
    onsessionclosed: (id) => transports.delete(id),
  });
  await newServer().connect(transport);
  return transport;
}

async function withSession(request) {
  const id = request.headers.get("mcp-session-id");
  const transport = id === null ? await newTransport() : transports.get(id);
  if (transport !== undefined) return transport.handleRequest(request);
  const error = { code: -32000, message: "Session not found" };
  return Response.json({ jsonrpc: "2.0", error, id: null }, { status: 404 });
}

function newHandler() {
  if (mode === "stateless") return createMcpHandler(newServer);
  if (mode === "json") return createMcpHandler(newServer, { responseMode: "json" });
  const modern = createMcpHandler(newServer, { legacy: "reject" });
  const fetch = async (request) => ((await isLegacyRequest(request)) ? withSession(request) : modern.fetch(request));
  return { fetch };
}

const hostIsLocal = localhostHostValidation();
const originIsLocal = localhostOriginValidation();
const handle = toNodeHandler(newHandler());
createServer((request, response) => {
  if (hostIsLocal(request, response) && originIsLocal(request, response)) handle(request, response);
}).listen(Number(port), "127.0.0.1");
