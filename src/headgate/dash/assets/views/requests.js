// The rows behind every number: a list with filters, all of which stand in the address.
import { html, useEffect, useState } from "../vendor/preact/standalone.module.js";
import { api } from "../lib/api.js";
import { count, moment } from "../lib/format.js";
import { link } from "../lib/route.js";
import { columns } from "../lib/rows.js";
import { Table } from "../lib/table.js";
import { Empty, Fault, Page, Wait } from "../lib/ui.js";

export const title = "Requests";

const TASKS = ["classification", "sentiment", "extraction", "summarization", "translation", "code", "qa", "writing", "reasoning", "chat", "embedding", "none"];
const SELECTS = [
  ["period", "Time", [["", "any time"], ["today", "today"], ["week", "this week"], ["month", "this month"]]],
  ["local", "Where", [["", "anywhere"], ["yes", "at home"], ["no", "in the cloud"]]],
  ["task", "Task", [["", "any task"], ...TASKS.map((task) => [task, task === "none" ? "no evidence" : task])]],
  ["status", "Status", [["", "any status"], ["ok", "answered"], ["imperfect", "imperfect"], ["failed", "failed"], ["broken", "broken off"], ["cancelled", "cancelled"]]],
  [
    "fallback",
    "Why paid",
    [["", "any reason"], ...["token count", "quality check failed", "unsupported output format", "engine unavailable", "engine busy", "asked for by name", "sent by its route", "conversation stays"].map((one) => [one, one])],
  ],
];
/** Filters that come with links and can only be taken away. */
const CHIPS = {
  shown: (word) => `answered by ${word}`,
  model: (word) => `answered by ${word}`,
  route: (word) => `route ${word}`,
  key: (word) => `key ${word}`,
  team: (word) => `team ${word}`,
  agent: (word) => `subagent ${word}`,
  answered: (word) => (word === "no" ? "without an answer" : "with an answer"),
  failed_locally: (word) => (word === "yes" ? "a local answer failed" : "no local answer failed"),
  tried_locally: (word) => (word === "yes" ? "tried at home" : "not tried at home"),
  unpriced: () => "of unknown cost",
  text: (word) => `contains “${word}”`,
};
const COUNTED = 100_000;

/** The rows of a query, piece by piece. */
const useRows = (query) => {
  const asked = JSON.stringify(query);
  const [state, set] = useState({ rows: null, next: null, count: null, period: null, error: null });
  const load = async (cursor, rows) => {
    try {
      const page = await api("/admin/requests", { query: { ...query, cursor } });
      set((old) => ({ rows: [...rows, ...page.requests], next: page.next, count: page.count ?? old.count, period: page.period, error: null }));
    } catch (error) {
      set((old) => ({ ...old, error }));
    }
  };
  useEffect(() => {
    const first = () => load(null, []);
    first();
    addEventListener("keygiven", first);
    return () => removeEventListener("keygiven", first);
  }, [asked]);
  return { ...state, more: () => load(state.next, state.rows) };
};

export const View = ({ params, go }) => {
  const { request, ...query } = params;
  const { rows, next, count: many, period, error, more } = useRows(query);
  const address = (id) => link("requests", { ...params, request: id });
  const since = query.since || query.until || query.from || query.to;
  const chips = Object.entries(CHIPS).filter(([name]) => query[name]);
  const note = many === null ? "" : many > COUNTED ? "more than 100,000" : count(many, "request");
  return html`
    <${Page} title=${title} note=${note}>
      <form class="filters" onSubmit=${(event) => event.preventDefault()}>
        ${SELECTS.filter(([name]) => name !== "period" || !since).map(
          ([name, label, options]) => html`
            <label class="field">${label}
              <select value=${query[name] ?? ""} onChange=${(event) => go({ [name]: event.currentTarget.value || null })}>
                ${options.map(([value, said]) => html`<option value=${value} selected=${(query[name] ?? "") === value}>${said}</option>`)}
              </select>
            </label>
          `,
        )}
      </form>
      ${(chips.length > 0 || since) &&
      html`<ul class="chips" aria-label="Other filters">
        ${since && period && html`<li><button type="button" class="chip" onClick=${() => go({ since: null, until: null, from: null, to: null })}>${moment(period[0])} to ${moment(period[1])} <span aria-hidden="true">×</span><span class="sr">, remove</span></button></li>`}
        ${chips.map(([name, say]) => html`<li><button type="button" class="chip" onClick=${() => go({ [name]: null })}>${say(query[name])} <span aria-hidden="true">×</span><span class="sr">, remove</span></button></li>`)}
      </ul>`}
      ${error && html`<${Fault} error=${error} />`}
      ${rows === null && !error && html`<${Wait} height=${400} />`}
      ${rows?.length === 0 &&
      html`<${Empty} title="No request fits" command=${Object.keys(query).length ? null : "headgate demo"}>
        <p>${Object.keys(query).length ? html`<a href=${link("requests")}>Take all filters away</a>, or choose others above.` : "Requests appear here as soon as the first one has passed. A whole week at work shows:"}</p>
      <//>`}
      ${rows?.length > 0 && html`<${Table} caption="Requests, newest first" columns=${columns(address)} rows=${rows} rowKey=${({ line }) => line.id} onRow=${({ line }) => go({ request: line.id })} />`}
      ${next !== null && html`<p class="beneath"><button type="button" class="plain" onClick=${more}>Show more</button></p>`}
    <//>
  `;
};
