// The conversation of python2.py, by the official TypeScript SDK v2.
//
// Rule 1: nothing is asserted here; the test reads the JSON.
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { talk } from "./talk.mjs";

const LEVEL = { "io.modelcontextprotocol/logLevel": "info" };

async function connected(url, mode, ears) {
  const client = new Client(
    { name: "typescript2", version: "1" },
    { capabilities: { sampling: {}, elicitation: {} }, versionNegotiation: { mode } },
  );
  client.setRequestHandler("sampling/createMessage", async () => ({
    role: "assistant",
    content: { type: "text", text: "word" },
    model: "m",
  }));
  client.setRequestHandler("elicitation/create", async () => ({ action: "accept", content: { name: "Ada" } }));
  client.setNotificationHandler("notifications/message", async ({ params }) => void ears.logged.push(params.data));
  client.setNotificationHandler("notifications/tools/list_changed", async () => ears.changed());
  await client.connect(new StreamableHTTPClientTransport(new URL(url)));
  const meta = mode === "auto" ? { _meta: LEVEL } : {};
  return {
    client,
    revision: client.getNegotiatedProtocolVersion(),
    listen: async () => (mode === "auto" ? client.listen({ toolsListChanged: true }) : undefined),
    call: (name, args, options) => client.callTool({ name, arguments: args, ...meta }, options),
  };
}

await talk(connected);
