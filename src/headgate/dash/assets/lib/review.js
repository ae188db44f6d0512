// Two answers side by side, and not a word on whose they are until somebody has chosen: by button, or by the keys 1, 2 and =.
import { html, useEffect, useRef, useState } from "../vendor/preact/standalone.module.js";
import { api, useJson } from "./api.js";
import { number } from "./format.js";
import { Fault, Section, Tag, Wait } from "./ui.js";

const KEYS = { 1: "The first is better", 2: "The second is better", "=": "Both are as good" };

/** The pairs that wait for a person; `onJudged()` is called when one has been judged. */
export const Review = ({ onJudged }) => {
  const { data, error, reload } = useJson("/admin/audits/pairs", { limit: 20 });
  const [done, setDone] = useState([]);
  const [fault, setFault] = useState(null);
  const left = (data?.data ?? []).filter((pair) => !done.some((one) => one.id === pair.id));
  const last = done.at(-1);
  const pair = left[0];
  const busy = useRef(false);
  const heading = useRef(null);
  const send = async (id, choice) => {
    if (busy.current) return;
    busy.current = true;
    try {
      const told = await api(`/admin/audits/${encodeURIComponent(id)}/opinion`, { body: choice === null ? { verdict: null } : { choice } });
      setFault(null);
      setDone((before) => (choice === null ? before.filter((one) => one.id !== id) : [...before, told]));
      heading.current?.focus();
      onJudged();
      if (left.length <= 1) reload();
    } catch (wrong) {
      setFault(wrong);
    } finally {
      busy.current = false;
    }
  };
  useEffect(() => {
    const pressed = (event) => {
      const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
      if (typing || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
      if (localStorage.getItem("headgate.shortcuts") === "off" || !pair || !(event.key in KEYS)) return;
      event.preventDefault();
      send(pair.id, event.key);
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  });
  if (error) return html`<${Section} title="Review"><${Fault} error=${error} retry=${reload} /><//>`;
  if (!data) return html`<${Section} title="Review"><${Wait} height=${200} /><//>`;
  return html`
    <${Section} title="Review" note="your word counts, and judges are measured by it; their verdicts take turns">
      <p class="sr" role="status" tabindex="-1" ref=${heading}>${last ? `${last.id}: ${last.verdict}. ` : ""}${pair ? `${number(left.length)} to look at` : "nothing left to look at"}</p>
      ${fault && html`<${Fault} error=${fault} />`}
      ${last &&
      html`<p class="judged-last"><${Tag} kind="good">${last.verdict}<//> the first answer was ${last.first}'s, the second ${last.second}'s
        <button type="button" class="quiet" onClick=${() => send(last.id, null)}>Take it back</button></p>`}
      ${data.locked > 0 && html`<p class="muted">The answers of ${number(data.locked)} more are sealed with a key that this gate does not have.</p>`}
      ${pair ? html`<${Pair} pair=${pair} left=${left.length} choose=${(choice) => send(pair.id, choice)} key=${pair.id} />` : html`<p class="muted">Nothing to look at: what was chosen has been judged by a person, or waits for its audit.</p>`}
    <//>
  `;
};

const Pair = ({ pair, left, choose }) => html`
  <div class="pair">
    <p class="pair-of muted">${number(left)} to look at · ${pair.task ?? "no task"} · route ${pair.route}${pair.verdict ? ` · ${pair.judge} said ${pair.verdict}` : ""}</p>
    <details open>
      <summary>What was asked</summary>
      <div class="asked" tabindex="0" role="region" aria-label="What was asked">${pair.asked.map((message) => html`<p><span class="muted">${message.role}</span> ${message.text}</p>`)}</div>
    </details>
    <div class="answers" style=${{ "--columns": 2 }}>
      ${[pair.first, pair.second].map(
        (text, place) => html`
          <article class="answer" aria-label=${place ? "The second answer" : "The first answer"}>
            <header><h3>${place ? "Second" : "First"}</h3><kbd>${place + 1}</kbd></header>
            <div class="answer-text" tabindex="0" role="region" aria-label=${place ? "Text of the second answer" : "Text of the first answer"}>${text}</div>
          </article>
        `,
      )}
    </div>
    <div class="verdict-buttons">
      ${["1", "=", "2"].map((key) => html`<button type="button" class="plain" aria-keyshortcuts=${key} onClick=${() => choose(key)}>${KEYS[key]} <kbd aria-hidden="true">${key}</kbd></button>`)}
    </div>
  </div>
`;
