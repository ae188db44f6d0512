// Answers that come piece by piece: lines of JSON, and the server-sent events of a model's answer.
import { GateError } from "./api.js";

const opened = async (path, body, headers, signal) => {
  let answer;
  try {
    answer = await fetch(path, { method: "POST", headers: { "content-type": "application/json", ...headers }, body: JSON.stringify(body), signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new GateError(0, "the gate does not answer", "headgate up opens it");
  }
  if (answer.ok) return answer;
  const told = await answer.json().catch(() => ({}));
  const error = new GateError(answer.status, told.error?.message ?? `the gate answered ${answer.status}`, told.error?.hint ?? "");
  error.requestId = answer.headers.get("x-headgate-request-id");
  if (answer.status === 401) dispatchEvent(new CustomEvent("keyneeded", { detail: error }));
  throw error;
};

async function* textLines(answer) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    const lines = (rest + (value ?? "")).split("\n");
    rest = done ? "" : lines.pop();
    yield* lines;
    if (done) return;
  }
}

/** Lines of JSON, each as a value: `for await (const told of jsonLines(path, {body}))`. */
export async function* jsonLines(path, { body, signal }) {
  const answer = await opened(path, body, {}, signal);
  for await (const line of textLines(answer)) if (line.trim()) yield JSON.parse(line);
}

/** A chat completion as it is written: yields {headers} first, then {text} or {error}. */
export async function* chatEvents(body, { headers = {}, signal }) {
  const answer = await opened("/v1/chat/completions", { ...body, stream: true }, headers, signal);
  yield { headers: answer.headers };
  for await (const line of textLines(answer)) {
    if (!line.startsWith("data:")) continue;
    const data = line.slice(5).trim();
    if (data === "[DONE]") return;
    const told = JSON.parse(data);
    if (told.error) yield { error: told.error };
    const delta = told.choices?.[0]?.delta;
    if (delta?.content || delta?.reasoning_content) yield { text: delta.content ?? "", thought: delta.reasoning_content ?? "" };
  }
}
