// The conversation of python2.py, by the official TypeScript SDK v1.
//
// Rule 1: nothing is asserted here; the test reads the JSON.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  LoggingMessageNotificationSchema,
  ToolListChangedNotificationSchema,
} from "@modelcontextprotocol/sdk/types.js";
import { talk } from "./talk.mjs";

async function connected(url, _mode, ears) {
  const client = new Client(
    { name: "typescript1", version: "1" },
    { capabilities: { sampling: {}, elicitation: {} } },
  );
  client.setRequestHandler(CreateMessageRequestSchema, async () => ({
    role: "assistant",
    content: { type: "text", text: "word" },
    model: "m",
  }));
  client.setRequestHandler(ElicitRequestSchema, async () => ({ action: "accept", content: { name: "Ada" } }));
  client.setNotificationHandler(LoggingMessageNotificationSchema, async ({ params }) => void ears.logged.push(params.data));
  client.setNotificationHandler(ToolListChangedNotificationSchema, async () => ears.changed());
  const transport = new StreamableHTTPClientTransport(new URL(url));
  await client.connect(transport);
  return {
    client,
    revision: transport.protocolVersion,
    listen: async () => undefined, // the standing stream is open already
    call: (name, args, options) => client.callTool({ name, arguments: args }, undefined, options),
  };
}

await talk(connected);
