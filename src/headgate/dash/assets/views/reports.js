// The archive of weekly reports: a list of weeks, and each week's report to read, print and keep.
import { html, useRef, useState } from "../vendor/preact/standalone.module.js";
import { useJson } from "../lib/api.js";
import { dollars, number, percent } from "../lib/format.js";
import { link } from "../lib/route.js";
import { Table } from "../lib/table.js";
import { Empty, Fault, Page, Tag, Wait } from "../lib/ui.js";

export const title = "Reports";

const FORMS = [["html", "Page"], ["text", "Text"], ["md", "Markdown"], ["csv", "CSV"], ["json", "JSON"]];

export const View = ({ rest }) => (rest[0] ? html`<${Week} week=${rest[0]} key=${rest[0]} />` : html`<${Archive} />`);

const Archive = () => {
  const { data, error, reload } = useJson("/admin/reports");
  const weeks = data?.weeks ?? [];
  return html`
    <${Page} title=${title} note="one for each week; a week that is not over is shown as far as it has come">
      ${error && html`<${Fault} error=${error} retry=${reload} />`}
      ${!data && !error && html`<${Wait} height=${300} />`}
      ${data && !weeks.length && html`<${Empty} title="There is no week to report on yet" command="headgate report --week this"><p>The first report begins with the first request. In a terminal the same is shown by:</p><//>`}
      ${weeks.length > 0 &&
      html`<${Table}
        caption="Weekly reports, newest first"
        rows=${weeks}
        rowKey=${(week) => week.week}
        onRow=${(week) => (location.hash = link(`reports/${week.week}`))}
        columns=${[
          {
            key: "week",
            title: "Week",
            cell: (week) => html`<a href=${link(`reports/${week.week}`)}><strong>${week.week}</strong></a>${!week.complete && html`<${Tag} kind="warn"> not over<//>`}<span class="only-narrow under flush">${week.period}</span>`,
          },
          { key: "days", title: "Days", hide: "narrow", cell: (week) => week.period },
          { key: "requests", title: "Requests", right: true, hide: "narrow", cell: (week) => html`<a href=${link("requests", { since: week.since, until: week.until })}>${number(week.requests)}</a>` },
          { key: "home", title: "At home", right: true, hide: "narrow", cell: (week) => (week.requests ? percent(week.at_home / week.requests) : "") },
          { key: "cost", title: "Spent", right: true, hide: "narrow", cell: (week) => dollars(week.cost) },
          { key: "saved", title: "Saved", right: true, cell: (week) => html`<strong>${dollars(week.savings.saved)}</strong>` },
        ]}
      />
      <p class="beneath muted">Sent to people each week by itself, if <code>[report]</code> in headgate.toml says to whom.</p>`}
    <//>
  `;
};

/** One week's report in a frame: it is a file of its own, as it is sent and kept. */
const Week = ({ week }) => {
  const address = `/admin/reports/${encodeURIComponent(week)}`;
  const { error, reload } = useJson(address, { format: "json" });
  const frame = useRef(null);
  const [height, setHeight] = useState(900);
  const fit = () => {
    const inside = frame.current?.contentDocument?.documentElement;
    if (inside) setHeight(inside.scrollHeight + 2);
  };
  const aside = html`
    <a class="button" href=${link("reports")}>All weeks</a>
    <button type="button" class="plain" onClick=${() => frame.current?.contentWindow?.print()}>Print</button>
    <details class="drop">
      <summary class="button">Download</summary>
      <ul>${FORMS.map(([form, name]) => html`<li><a href=${`${address}?format=${form}&download`} download>${name}</a></li>`)}</ul>
    </details>
  `;
  return html`
    <${Page} title=${`Week ${week.replace(/^\d+-W/, "")} of ${week.slice(0, 4)}`} aside=${aside}>
      ${error
        ? html`<${Fault} error=${error} retry=${reload} />`
        : html`<iframe ref=${frame} class="report" title=${`The report of week ${week}`} src=${`${address}?format=html`} style=${{ height: `${height}px` }} onLoad=${fit}></iframe>`}
    <//>
  `;
};
