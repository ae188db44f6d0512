// A playground: what would be decided before anything is sent, then the answers, side by side, each with what it took and cost.
import { html, useEffect, useMemo, useRef, useState } from "../vendor/preact/standalone.module.js";
import { api, useJson } from "../lib/api.js";
import { fineDollars } from "../lib/format.js";
import { Fault, Notice, Page, Place, Section } from "../lib/ui.js";
import { Answer, useAnswers } from "./ask_answers.js";
import { Decided } from "./ask_decision.js";

export const title = "Ask";

const TASKS = ["classification", "sentiment", "extraction", "summarization", "translation", "code", "qa", "writing", "reasoning", "chat"];
const EXAMPLES = [
  ["Sort a mail", "Classify this e-mail as billing, technical or sales. Answer with the label only.\n\nMy invoice from March was charged twice. Please send one back."],
  ["Take out a number", "Extract the order number from this e-mail. Answer with the number only.\n\nHello, my parcel 4471-20993 has not arrived. Kind regards, Ada"],
  ["Summarize", "Summarize in one sentence: The team met on Tuesday. The launch moves to 14 May, because the translations are late. Bo calls the agency."],
  ["Think hard", "A train leaves at 9:10 and another, 20 km/h faster, at 9:40 on the same line. When does the second catch up if the first does 80 km/h?"],
];
const AUTO = "auto";
const WAIT = 350; // milliseconds after the last key

export const View = ({ params, go }) => {
  const { data: fleet, error } = useJson("/admin/fleet");
  const [prompt, setPrompt] = useState(params.prompt ?? "");
  const chosen = useMemo(() => (params.models ?? AUTO).split(",").filter(Boolean), [params.models]);
  const wish = { task: params.task ?? "", format: params.format ?? "text", home: params.home === "1" };
  const decisions = useDecisions(prompt, chosen, wish);
  const { answers, send, stop, busy } = useAnswers();
  const box = useRef(null);
  const models = (fleet?.lanes ?? []).filter((lane) => lane.kind === "chat" && !lane.model.includes("@"));
  const choose = (name) => {
    const next = chosen.includes(name) ? chosen.filter((one) => one !== name) : [...chosen, name];
    go({ models: next.length && next.join() !== AUTO ? next.join(",") : null }, { replace: true });
  };
  const submit = (event) => {
    event?.preventDefault();
    if (prompt.trim() && !busy) send(chosen, (model) => bodyOf(model, prompt, wish), headersOf(wish));
  };
  const pressed = (event) => event.key === "Enter" && (event.ctrlKey || event.metaKey) && submit(event);
  const fill = (text) => {
    setPrompt(text);
    box.current?.focus();
  };
  return html`
    <${Page} title=${title} note="Goes through the gate like any other request, and is written down like one.">
      ${error && html`<${Fault} error=${error} />`}
      <form class="ask" onSubmit=${submit}>
        <label class="sr" for="prompt">Prompt</label>
        <textarea id="prompt" ref=${box} rows="6" placeholder="What should be done?" value=${prompt} onInput=${(event) => setPrompt(event.currentTarget.value)} onKeyDown=${pressed}></textarea>
        ${!prompt && html`<div class="examples"><span class="muted">Try</span>${EXAMPLES.map(([name, text]) => html`<button type="button" class="plain" onClick=${() => fill(text)}>${name}</button>`)}</div>`}
        <fieldset class="who">
          <legend>Who answers</legend>
          <${Pick} name=${AUTO} on=${chosen.includes(AUTO)} onChange=${() => choose(AUTO)} note="the gate decides" />
          ${models.map((model) => html`<${Pick} key=${model.model} name=${model.model} local=${model.local} label=${model.label} on=${chosen.includes(model.model)} onChange=${() => choose(model.model)} note=${priceOf(decisions, model)} />`)}
        </fieldset>
        <div class="ask-foot">
          <label class="field">Task<select value=${wish.task} onChange=${(event) => go({ task: event.currentTarget.value || null }, { replace: true })}><option value="">found by the gate</option>${TASKS.map((task) => html`<option value=${task}>${task}</option>`)}</select></label>
          <label class="field">Answer as<select value=${wish.format} onChange=${(event) => go({ format: event.currentTarget.value === "text" ? null : event.currentTarget.value }, { replace: true })}><option value="text">text</option><option value="json">JSON</option></select></label>
          <label class="check"><input type="checkbox" checked=${wish.home} onChange=${(event) => go({ home: event.currentTarget.checked ? "1" : null }, { replace: true })} />Must stay at home</label>
          <span class="ask-send">
            ${busy ? html`<button type="button" class="plain" onClick=${stop}>Stop</button>` : html`<span class="muted cost-note">${costNote(decisions, chosen, prompt)}</span><button type="submit" disabled=${!prompt.trim() || !chosen.length}>${chosen.length > 1 ? `Ask all ${chosen.length}` : "Ask"}</button>`}
          </span>
        </div>
      </form>
      ${!chosen.length && html`<${Notice} kind="warn"><p>Choose at least one who answers.</p><//>`}
      ${answers.length > 0 && html`<${Section} title="Answers"><div class="answers" style=${{ "--columns": Math.min(answers.length, 3) }}>${answers.map((answer) => html`<${Answer} key=${answer.asked} answer=${answer} go=${go} />`)}</div><//>`}
      <${Before} prompt=${prompt} decisions=${decisions} chosen=${chosen} />
    <//>
  `;
};

const Pick = ({ name, local, label, on, onChange, note }) => html`
  <label class=${on ? "pick on" : "pick"}>
    <input type="checkbox" checked=${on} onChange=${onChange} />
    <span class="pick-name">${local !== undefined && html`<${Place} local=${local} />`}${name}${label && html` <span class="muted">${label}</span>`}</span>
    <span class="muted pick-note">${note}</span>
  </label>
`;

const bodyOf = (model, prompt, wish) => ({
  model,
  messages: [{ role: "user", content: prompt }],
  ...(wish.format === "json" ? { response_format: { type: "json_object" } } : {}),
});

const headersOf = (wish) => ({
  ...(wish.task ? { "x-headgate-task": wish.task } : {}),
  ...(wish.home ? { "x-headgate-privacy": "local_only" } : {}),
});

/** What would be decided for each who is chosen, as {name: {data, error}}; asked anew when the typing stops. */
const useDecisions = (prompt, chosen, wish) => {
  const [found, set] = useState({});
  useEffect(() => {
    if (!prompt.trim()) {
      set({});
      return undefined;
    }
    const control = new AbortController();
    const look = async (name) => {
      try {
        const data = await api("/admin/route", { body: bodyOf(name, prompt, wish), headers: headersOf(wish), signal: control.signal });
        set((old) => ({ ...old, [name]: { data } }));
      } catch (error) {
        if (!control.signal.aborted) set((old) => ({ ...old, [name]: { error } }));
      }
    };
    const timer = setTimeout(() => [...new Set([AUTO, ...chosen])].forEach(look), WAIT);
    return () => {
      clearTimeout(timer);
      control.abort();
    };
  }, [prompt, chosen.join(), wish.task, wish.format, wish.home]);
  return found;
};

const own = (decisions, name) => {
  for (const { data } of Object.values(decisions)) {
    const one = data?.candidates?.find((candidate) => candidate.model === name);
    if (one) return one;
  }
  return null;
};

const priceOf = (decisions, model) => {
  if (model.local) return "at home, free";
  const found = own(decisions, model.model);
  if (!found) return "paid";
  return found.estimate === null ? "paid, price unknown" : `paid, about ${fineDollars(found.estimate)}`;
};

const first = (data) => data?.candidates?.find((candidate) => candidate.skip === null);

/** What sending would probably cost, all who are chosen together. */
const costNote = (decisions, chosen, prompt) => {
  if (!prompt.trim() || !chosen.length) return "";
  const firsts = chosen.map((name) => first(decisions[name]?.data));
  if (firsts.some((one) => one === undefined)) return "";
  if (firsts.some((one) => one.estimate === null)) return "price unknown";
  const total = firsts.reduce((sum, one) => sum + one.estimate, 0);
  return total ? `about ${fineDollars(total)}` : "free, unless a check fails";
};

const Before = ({ prompt, decisions, chosen }) => {
  if (!prompt.trim())
    return html`<${Section} title="Before it is sent"><p class="muted">While you type, this shows what the gate sees in the prompt, which route takes it, and who would be asked, in which order and for how much. Nobody is asked until you send it.</p><//>`;
  const shown = chosen.includes(AUTO) || !chosen.length ? AUTO : chosen[0];
  const { data, error } = decisions[shown] ?? {};
  return html`
    <${Section} title="Before it is sent" note=${shown === AUTO ? "What the gate would decide now. No model has been asked." : `For ${shown}, asked by name.`}>
      ${error && html`<${Fault} error=${error} />`}
      ${data && html`<${Decided} data=${data} />`}
    <//>
  `;
};
