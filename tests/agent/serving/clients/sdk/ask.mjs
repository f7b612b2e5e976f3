// Asks a server as a page would: `node ask.mjs URL PICTURE`. It tells what it saw as one line of JSON.
import { readFile } from "node:fs/promises";
import { Client } from "@langchain/langgraph-sdk";

const [url, path] = process.argv.slice(2);
const client = new Client({ apiUrl: url });
const data = await readFile(path);
const uploaded = await fetch(`${url}/g2u/pictures`, {
  method: "POST",
  body: data,
  headers: { "Content-Type": "image/png" },
});
const picture = await uploaded.json();
const seen = { picture: picture.uri };

const part = { type: "image", mimeType: "image/png", data: data.toString("base64") };
const message = { role: "user", content: [part, { type: "text", text: "Which?" }] };
const thread = await client.threads.create({ metadata: { graph_id: "imagine" } });
seen.events = [];
for await (const chunk of client.runs.stream(thread.thread_id, "imagine", {
  input: { messages: [message] },
  streamMode: ["values", "custom"],
}))
  seen.events.push(chunk.event);
seen.first = (await client.threads.getState(thread.thread_id)).values;

const paused = await client.threads.create();
const context = { pause: "both" };
const input = { picture: picture.uri, question: "Which?", options: ["red", "blue"] };
await client.runs.wait(paused.thread_id, "imagine", { input, context });
seen.asked = [];
const replies = [
  [{ type: "edit", args: { action: "draw", args: { edit: "denoise" } } }],
  { decisions: [{ type: "approve" }] },
];
for (const resume of replies) {
  const { tasks } = await client.threads.getState(paused.thread_id);
  seen.asked.push(tasks.flatMap((task) => task.interrupts.map((one) => one.value.action_requests[0])));
  await client.runs.wait(paused.thread_id, "imagine", { command: { resume }, context });
}
seen.second = (await client.threads.getState(paused.thread_id)).values;

const wrong = { input, config: { configurable: { rouns: 2 } } };
seen.refused = await client.runs.wait(null, "imagine", wrong).then(
  () => "",
  (error) => error.message,
);
console.log(JSON.stringify(seen));
