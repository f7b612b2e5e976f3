// Talking to the server: JSON and server-sent events, with problems as errors.

/** What the server refuses, or that it is not there. */
export class Problem extends Error {
  constructor(problem) {
    super(problem.detail ?? problem.title);
    this.problem = problem;
  }
}

const AWAY = { detail: "The server does not answer.", hint: "Is it still running?" };

/** A reply that is no problem. */
export async function reach(address, options = {}) {
  let reply;
  try {
    reply = await fetch(address, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(AWAY);
  }
  if (reply.ok) return reply;
  const problem = await reply.json().catch(() => ({ detail: `The server replied with ${reply.status} ${reply.statusText}.` }));
  throw new Problem(typeof problem?.detail === "string" || problem?.title ? problem : { detail: JSON.stringify(problem) });
}

/** The JSON at an address. */
export const read = async (address, options) => (await reach(address, options)).json();

/** Each event of a run that is asked for; leaving the loop early or aborting the signal stops the run. */
export async function* ask(question, signal) {
  const headers = { "Content-Type": "application/json" };
  const reply = await reach("ask", { method: "POST", headers, body: JSON.stringify(question), signal });
  const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "", over = false;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      over = done;
      if (done) return;
      const parts = (held + value).split("\n\n");
      held = parts.pop();
      for (const part of parts) {
        const data = part.split("\n").find((line) => line.startsWith("data: "));
        if (data) yield JSON.parse(data.slice(6));
      }
    }
  } catch (error) {
    if (signal.aborted) throw new DOMException("", "AbortError");
    throw error instanceof Problem ? error : new Problem({ detail: "The connection to the server broke.", hint: AWAY.hint });
  } finally {
    if (!over) reader.cancel().catch(() => {});
  }
}
