// The steps of python2.py, for both TypeScript SDKs: node typescriptN.mjs OPEN QUIET MODE NAME
//
// Rule 1: `connected(url, mode, ears)` is all that the SDKs differ in; what the client hears goes to the ears.
const PATIENCE = { timeout: 15_000 };

function told(result) {
  const text = result.content.map((part) => part.text ?? "").join(" ");
  return { error: result.isError ?? false, text };
}

async function cancelled(call, name) {
  const stopping = new AbortController();
  let begun;
  const beginning = new Promise((resolve) => (begun = resolve));
  const options = { ...PATIENCE, signal: stopping.signal, onprogress: () => begun() };
  const waiting = call("wait", { name }, options).then(() => false, () => true);
  await beginning;
  stopping.abort("no longer wanted");
  return waiting;
}

async function news({ listen, call }, ears) {
  const changed = new Promise((resolve) => (ears.changed = resolve));
  const subscription = await listen();
  await call("announce", {}, PATIENCE);
  await changed;
  await subscription?.close();
  return true;
}

async function openTalk(connected, url, mode, name) {
  const ears = { logged: [], changed: () => {} };
  const progress = [];
  const connection = await connected(url, mode, ears);
  const { client, revision, call } = connection;
  const said = { revision };
  said.tools = (await client.listTools()).tools.map((tool) => tool.name).sort();
  said.allowed = told(await call("echo", { text: "hi" }, PATIENCE));
  said.denied = told(await call("forbidden", {}, PATIENCE));
  said.after = told(await call("echo", { text: "still here" }, PATIENCE));
  await call("count", { to: 3 }, { ...PATIENCE, onprogress: (step) => progress.push(step.progress) });
  said.progress = progress;
  await call("log", { text: "a word" }, PATIENCE);
  said.logged = ears.logged;
  said.news = await news(connection, ears);
  said.cancelled = await cancelled(call, name);
  said.sampled = told(await call("sample", {}, PATIENCE));
  said.elicited = told(await call("ask", {}, PATIENCE));
  said.resumed = told(await call("drop", { text: "came back" }, PATIENCE));
  said.last = told(await call("echo", { text: "bye" }, PATIENCE));
  await client.close();
  return said;
}

async function quietTalk(connected, url, mode) {
  const { client, call } = await connected(url, mode, { logged: [], changed: () => {} });
  // The server asks for a sample by the client's own stream, which opens beside the first calls.
  const said = {
    elicited: told(await call("ask", {}, PATIENCE)),
    sampled: told(await call("sample", {}, PATIENCE)),
    last: told(await call("echo", { text: "bye" }, PATIENCE)),
  };
  await client.close();
  return said;
}

export async function talk(connected) {
  const [open, quiet, mode, name] = process.argv.slice(2);
  const steps = await openTalk(connected, open, mode, name);
  const said = quiet ? { open: steps, quiet: await quietTalk(connected, quiet, mode) } : steps;
  console.log(JSON.stringify(said));
  process.exit(0);
}
