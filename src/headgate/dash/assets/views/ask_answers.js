// Answers as they are written, and afterwards what each took: who answered, what the checks said, what it cost and saved.
import { html, useCallback, useEffect, useRef, useState } from "../vendor/preact/standalone.module.js";
import { api } from "../lib/api.js";
import { count, duration, fineDollars } from "../lib/format.js";
import { Status } from "../lib/story.js";
import { chatEvents } from "../lib/stream.js";
import { Fault, Place, Tag } from "../lib/ui.js";

const LOOKS = 12; // the ledger is written a moment after the answer
const BETWEEN = 200; // milliseconds

const pause = (time) => new Promise((resolve) => setTimeout(resolve, time));

/** A request's story, as soon as the ledger has it. */
const storyOf = async (id) => {
  for (let look = 0; look < LOOKS; look += 1) {
    const { requests } = await api("/admin/requests", { query: { limit: 100 } });
    if (requests.some((row) => row.line.id === id)) break;
    await pause(BETWEEN);
  }
  return api(`/admin/requests/${encodeURIComponent(id)}`);
};

/** Several answers side by side: {answers, send(names, bodyOf, headers), stop, busy}. */
export const useAnswers = () => {
  const [answers, set] = useState([]);
  const running = useRef(null);
  const stop = useCallback(() => running.current?.abort(), []);
  useEffect(() => stop, []);
  const send = useCallback(async (names, bodyOf, headers) => {
    stop();
    const control = new AbortController();
    running.current = control;
    const tell = (asked, more) => running.current === control && set((old) => old.map((one) => (one.asked === asked ? { ...one, ...more(one) } : one)));
    set(names.map((asked) => ({ asked, text: "", thought: "", state: "waiting", story: null, error: null, headers: null })));
    const ask = async (asked) => {
      let id = null;
      try {
        for await (const event of chatEvents(bodyOf(asked), { headers, signal: control.signal })) {
          if (event.headers) {
            id = event.headers.get("x-headgate-request-id");
            tell(asked, () => ({ state: "writing" }));
          } else if (event.error) tell(asked, () => ({ error: event.error }));
          else tell(asked, (old) => ({ text: old.text + event.text, thought: old.thought + event.thought }));
        }
      } catch (error) {
        id ??= error.requestId ?? null;
        tell(asked, () => (control.signal.aborted ? { state: "stopped" } : { error }));
      }
      tell(asked, (old) => ({ state: old.state === "stopped" ? "stopped" : "done" }));
      if (id === null) return;
      try {
        const story = await storyOf(id);
        tell(asked, () => ({ story }));
      } catch {
        tell(asked, () => ({ story: null, id })); // the answer is here, what it took is not; the ledger's view says why
      }
    };
    await Promise.all(names.map(ask));
  }, []);
  return { answers, send, stop, busy: answers.some((one) => one.state === "waiting" || one.state === "writing") };
};

export const Answer = ({ answer, go }) => {
  const { story } = answer;
  const local = story?.model ? story.models[story.model]?.local : undefined;
  return html`
    <article class="answer" aria-label=${`Answer of ${answer.asked}`} aria-busy=${answer.state === "writing" || answer.state === "waiting"}>
      <header>
        <h3>${answer.asked}</h3>
        ${story?.model && story.model !== answer.asked && html`<span class="muted"><${Place} local=${local} />${story.models[story.model]?.shown ?? story.model}</span>`}
        ${answer.state === "waiting" && html`<span class="muted">is being asked …</span>`}
        ${answer.state === "stopped" && html`<${Tag}>stopped<//>`}
        ${story && html`<${Status} status=${story.status} />`}
      </header>
      ${answer.thought && html`<details class="thought"><summary>Its thoughts</summary><p>${answer.thought}</p></details>`}
      <div class="answer-text" tabindex="0" role="region" aria-label=${`Text of ${answer.asked}`}>${answer.text}${answer.state === "writing" && html`<i class="caret" aria-hidden="true"></i>`}${!answer.text && answer.state === "waiting" && html`<i class="caret" aria-hidden="true"></i>`}</div>
      ${answer.error && html`<${Fault} error=${answer.error} />`}
      ${story && html`<${Took} story=${story} go=${go} />`}
    </article>
  `;
};

const Took = ({ story, go }) => html`
  <dl class="took">
    <div><dt>Cost</dt><dd>${story.cost === 0 ? "free" : fineDollars(story.cost)}</dd></div>
    <div><dt>Saved</dt><dd>${fineDollars(story.saved)}</dd></div>
    <div><dt>Took</dt><dd>${duration(story.seconds)}</dd></div>
    <div><dt>Tokens</dt><dd>${story.usage ? story.usage.output : "unknown"}</dd></div>
  </dl>
  ${story.attempts.length > 0 && html`<ol class="tries">${story.attempts.map((attempt) => html`<${Tried} attempt=${attempt} story=${story} />`)}</ol>`}
  <button type="button" class="quiet story-link" onClick=${() => go({ request: story.id })}>The whole story${story.attempts.length > 1 ? `, ${count(story.attempts.length, "attempt")}` : ""}</button>
`;

const Tried = ({ attempt, story }) => {
  const rejected = !attempt.failure && attempt.score !== null && attempt.score < story.decision.pass_at && !attempt.late;
  const worst = [...attempt.verdicts].filter((verdict) => verdict.score !== null).sort((a, b) => a.score - b.score)[0];
  return html`
    <li>
      <span><${Place} local=${story.models[attempt.model]?.local} />${attempt.model}</span>
      ${attempt.failure
        ? html`<span><${Tag} kind="bad">${attempt.failure.reason.replaceAll("_", " ")}<//> <span class="muted">${attempt.failure.detail}</span></span>`
        : html`<span><${Tag} kind=${rejected ? "warn" : "good"}>${rejected ? "rejected" : "passed"}<//> <span class="muted">${attempt.verdicts.length ? checksSaid(attempt, worst) : "no check looked at it"}</span></span>`}
    </li>
  `;
};

const checksSaid = (attempt, worst) => {
  const judged = attempt.verdicts.filter((verdict) => verdict.score !== null).length;
  if (!worst) return "no check had evidence";
  return worst.score < 1 ? `${worst.check} ${worst.score.toFixed(2)}${worst.reason ? `: ${worst.reason}` : ""}` : `${count(judged, "check")}`;
};
