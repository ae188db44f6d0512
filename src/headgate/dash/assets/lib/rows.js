// A request as a row of a table, the same in the list and in the live view.
import { html } from "../vendor/preact/standalone.module.js";
import { clock, day, duration, fineDollars, number } from "./format.js";
import { Status } from "./story.js";
import { Place } from "./ui.js";

/** The columns; `address(id)` is where a row's story is. */
export const columns = (address) => [
  { key: "at", title: "Time", cell: ({ line }) => html`<a href=${address(line.id)} class="when"><span class="muted">${day(line.received)}</span> ${clock(line.received)}</a>` },
  { key: "task", title: "Task", hide: "narrow", cell: ({ line }) => line.task ?? html`<span class="muted">no evidence</span>` },
  { key: "model", title: "Answered by", cell: ({ line, local, shown }) => html`
      ${shown ? html`<${Place} local=${local} />${shown}` : html`<span class="muted">nobody</span>`}
      <span class="only-narrow under">${line.task ?? "no evidence"}${line.status === "ok" ? "" : html`, <${Status} status=${line.status} />`}</span>
    ` },
  { key: "status", title: "Status", hide: "narrow", cell: ({ line }) => html`<${Status} status=${line.status} quiet />` },
  { key: "fallback", title: "Why paid", hide: "narrow", cell: ({ line }) => html`<span class="muted">${line.fallback}</span>` },
  { key: "tokens", title: "Tokens", right: true, hide: "narrow", cell: ({ line }) => (line.tokens_in === null ? "" : `${line.exact ? "" : "~"}${number(line.tokens_in)} + ${number(line.tokens_out)}`) },
  { key: "took", title: "Took", right: true, cell: ({ line }) => duration(line.seconds) },
  { key: "cost", title: "Cost", right: true, cell: ({ line }) => fineDollars(line.cost) },
  { key: "saved", title: "Saved", right: true, hide: "narrow", cell: ({ line }) => (line.saved === null ? html`<span class="muted">unknown</span>` : fineDollars(line.saved)) },
];
