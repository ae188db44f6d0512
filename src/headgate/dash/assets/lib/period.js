// The period picker, and the period as words of the URL: `period=week` or `from=2026-11-01&to=2026-11-14`.
import { html } from "../vendor/preact/standalone.module.js";
import { Choice } from "./ui.js";

const WORDS = [["today", "Today"], ["week", "Week"], ["month", "Month"], ["custom", "Custom"]];
const BEFORE = { today: "yesterday until now", week: "the week before", month: "the month before", custom: "the days before" };

/** The query that the gate understands, of a view's parameters. */
export const periodQuery = ({ period, from, to }) => (from || to ? { from, to } : { period: period ?? "week" });

/** What a period is compared with. */
export const beforeSaid = (word) => BEFORE[word] ?? BEFORE.custom;

const iso = (at) => {
  const day = new Date(at);
  return `${day.getFullYear()}-${`${day.getMonth() + 1}`.padStart(2, "0")}-${`${day.getDate()}`.padStart(2, "0")}`;
};

export const PeriodPicker = ({ params, go }) => {
  const custom = Boolean(params.from || params.to);
  const value = custom ? "custom" : params.period ?? "week";
  const choose = (word) => {
    if (word === "custom") go({ period: null, from: iso(Date.now() - 13 * 86_400_000), to: iso(Date.now()) });
    else go({ period: word === "week" ? null : word, from: null, to: null });
  };
  const day = (name) => (event) => event.currentTarget.value && go({ period: null, [name]: event.currentTarget.value });
  return html`
    <${Choice} label="Period" value=${value} options=${WORDS} onChange=${choose} />
    ${custom &&
    html`<span class="days">
      <input type="date" aria-label="From" value=${params.from} max=${params.to} onChange=${day("from")} />
      <span class="muted">to</span>
      <input type="date" aria-label="To" value=${params.to} min=${params.from} onChange=${day("to")} />
    </span>`}
  `;
};
