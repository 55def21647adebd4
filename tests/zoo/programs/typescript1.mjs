// The reference behavior of the zoo's servers on the TypeScript SDK 1.x:
//
//     node typescript1.mjs ENVIRONMENT PORT [stateless | json]
//
// Without a mode it keeps sessions and answers with event streams. `stateless` has a new server for every request;
// `json` keeps sessions and answers with JSON, so it asks the client over the client's own stream.
import { randomUUID } from "node:crypto";
import { createRequire } from "node:module";

const [environment, port, mode = "sessions"] = process.argv.slice(2);
const load = createRequire(`${environment}/`);
const { McpServer, ResourceTemplate } = load("@modelcontextprotocol/sdk/server/mcp.js");
const { StreamableHTTPServerTransport } = load("@modelcontextprotocol/sdk/server/streamableHttp.js");
const { createMcpExpressApp } = load("@modelcontextprotocol/sdk/server/express.js");
const { completable } = load("@modelcontextprotocol/sdk/server/completable.js");
const { CreateMessageResultSchema, ElicitResultSchema } = load("@modelcontextprotocol/sdk/types.js");
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
  const progressToken = extra._meta?.progressToken;
  if (progressToken === undefined) return;
  const params = { progressToken, progress: done, ...(total === undefined ? {} : { total }) };
  await extra.sendNotification({ method: "notifications/progress", params });
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
  const pair = { a: z.int(), b: z.int() };
  server.registerTool("add", { description: "Add two numbers.", inputSchema: pair }, ({ a, b }) => text(String(a + b)));
  server.registerTool(
    "delete_note",
    { description: "Delete a note.", inputSchema: { id: z.string() }, annotations: { destructiveHint: true } },
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
  const value = { value: z.record(z.string(), z.unknown()) };
  server.registerTool(
    "echo_object",
    { description: "Return an object.", inputSchema: value, outputSchema: value },
    (args) => ({ ...text(JSON.stringify(sorted(args.value))), structuredContent: { value: args.value } }),
  );
}

function addLongTools(server) {
  const steps = { to: z.int() };
  server.registerTool("count", { description: "Count.", inputSchema: steps }, async ({ to }, extra) => {
    for (let done = 1; done <= to; done += 1) await progress(extra, done, to);
    return text("counted");
  });
  const time = { seconds: z.int() };
  server.registerTool("wait", { description: "Wait.", inputSchema: time }, async ({ seconds }, extra) => {
    await progress(extra, 0);
    if (await canceledWithin(seconds, extra.signal)) canceled += 1;
    return text("waited");
  });
  server.registerTool("canceled_waits", { description: "Return how many waits were canceled." }, () =>
    text(String(canceled)),
  );
}

function addAskingTools(server) {
  const asked = (extra, request, schema) =>
    mode === "json" ? server.server.request(request, schema) : extra.sendRequest(request, schema);
  server.registerTool("sample", { description: "Ask the client's model." }, async (extra) => {
    const messages = [{ role: "user", content: { type: "text", text: "Say a word." } }];
    const request = { method: "sampling/createMessage", params: { messages, maxTokens: 100 } };
    const { content } = await asked(extra, request, CreateMessageResultSchema);
    return text(`sampled: ${content.text}`);
  });
  server.registerTool("ask", { description: "Ask the user." }, async (extra) => {
    const params = { mode: "form", message: "Who are you?", requestedSchema: NAME };
    const { content } = await asked(extra, { method: "elicitation/create", params }, ElicitResultSchema);
    return text(`asked: ${content?.name}`);
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
  const argsSchema = { name: completable(z.string(), starting(["Ada", "Alan", "Grace"])) };
  server.registerPrompt("greet", { description: "Greet a person.", argsSchema }, ({ name }) => ({
    messages: [{ role: "user", content: { type: "text", text: `Hello, ${name}!` } }],
  }));
}

function newServer() {
  // With strict capabilities a server that has not seen the handshake refuses to ask, and does not wait for an answer.
  const options = { instructions: "Use add for sums.", enforceStrictCapabilities: true };
  const server = new McpServer({ name: "zoo", version: "1.0.0" }, options);
  addPlainTools(server);
  addLongTools(server);
  addAskingTools(server);
  addResourcesAndPrompts(server);
  return server;
}

const transports = new Map();

async function newTransport() {
  const options =
    mode === "stateless"
      ? { sessionIdGenerator: undefined }
      : {
          sessionIdGenerator: () => randomUUID(),
          enableJsonResponse: mode === "json",
          onsessioninitialized: (id) => transports.set(id, transport),
          onsessionclosed: (id) => transports.delete(id),
        };
  const transport = new StreamableHTTPServerTransport(options);
  await newServer().connect(transport);
  return transport;
}

function refuse(response, status, message) {
  response.status(status).json({ jsonrpc: "2.0", error: { code: -32000, message }, id: null });
}

const app = createMcpExpressApp();
app.post("/mcp", async (request, response) => {
  const id = request.headers["mcp-session-id"];
  const known = transports.get(id);
  if (id !== undefined && known === undefined && mode !== "stateless") {
    refuse(response, 404, "Session not found");
    return;
  }
  const transport = known ?? (await newTransport());
  if (mode === "stateless") response.on("close", () => void transport.close());
  await transport.handleRequest(request, response, request.body);
});
for (const method of ["get", "delete"]) {
  app[method]("/mcp", async (request, response) => {
    const known = transports.get(request.headers["mcp-session-id"]);
    if (mode === "stateless") refuse(response, 405, "Method not allowed.");
    else if (known === undefined) refuse(response, 404, "Session not found");
    else await known.handleRequest(request, response);
  });
}
app.listen(Number(port), "127.0.0.1");
