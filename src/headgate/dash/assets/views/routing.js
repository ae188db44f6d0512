// Where requests go and why: task → route → model → result, the routes as rules, and other settings tried on what was recorded.
import { html, useMemo, useState } from "../vendor/preact/standalone.module.js";
import { useJson } from "../lib/api.js";
import { Chart, modelColours, tip } from "../lib/charts.js";
import { count, date, dollars, number, percent } from "../lib/format.js";
import { link } from "../lib/route.js";
import { STATUS } from "../lib/story.js";
import { Table } from "../lib/table.js";
import { Choice, Empty, Fault, Notice, Page, Place, Section, Wait } from "../lib/ui.js";
import { Trial } from "./routing_trial.js";

export const title = "Routing";

const SPANS = [["7", "7 days"], ["30", "30 days"], ["90", "90 days"]];
const DAY = 86_400;

export const View = ({ params, go }) => {
  const days = SPANS.some(([key]) => key === params.days) ? params.days : "30";
  const until = useMemo(() => Math.ceil(Date.now() / 1000 / 60) * 60, [days]);
  const since = until - Number(days) * DAY;
  const { data, error, reload } = useJson("/admin/routing", { since, until });
  const picker = html`<${Choice} label="Time" value=${days} options=${SPANS} onChange=${(key) => go({ days: key === "30" ? null : key })} />`;
  const empty = data && data.oldest === null;
  return html`
    <${Page} title=${title} note=${data && !empty ? `${count(data.requests, "request")} since ${date(since)}` : ""} aside=${empty ? null : picker}>
      ${error && html`<${Fault} error=${error} retry=${reload} />`}
      ${!data && !error && html`<${Wait} height=${420} />`}
      ${empty && html`<${Nothing} routes=${data.routes} />`}
      ${data && !empty && (data.requests ? html`<${Flows} data=${data} />` : html`<${Quiet} days=${days} />`)}
      ${data && html`<${Routes} data=${data} />`}
      ${data && data.requests > 0 && html`<${Trial} data=${data} params=${params} go=${go} />`}
    <//>
  `;
};

const Nothing = () => html`
  <${Empty} title="No request has passed yet" command=${'headgate ask "Sort this mail into billing, technical or sales: my invoice is wrong"'}>
    <p>Once requests pass, this shows which route took them, which model answered, and what other thresholds would have changed. The rules below are in force already.</p>
  <//>
`;

const Quiet = ({ days }) => html`<${Notice}><p>Nothing was asked in the last ${days} days. Choose a longer time above.</p><//>`;

// ── The flow ─────────────────────────────────────────────────────────────────────────────────────────────────────────

const NOBODY = "nobody";
const UNSURE = "no evidence";
const RESULTS = { ok: "answered", imperfect: "imperfect", failed: "failed", broken: "broken off", cancelled: "cancelled" };
const SIDES = { task: "Task", route: "Route", model: "Model", result: "Result" };

const narrow = () => matchMedia("(width <= 700px)").matches;

/** The columns of the flow that a screen has room for. */
const sides = () => (narrow() ? ["route", "model"] : ["task", "route", "model", "result"]);

const wordsOf = (flow) => ({
  task: flow.task ?? UNSURE,
  route: flow.route,
  model: flow.shown ?? NOBODY,
  result: RESULTS[flow.status] ?? flow.status,
});

const queryOf = (side, flow, span) => {
  const words = { since: span.since, until: span.until };
  if (side === "task") words.task = flow.task ?? "none";
  if (side === "route") words.route = flow.route;
  if (side === "model") words.model = flow.model;
  if (side === "result") words.status = flow.status;
  return words;
};

const gather = (flows, shown) => {
  const nodes = new Map();
  const links = new Map();
  for (const flow of flows) {
    const words = wordsOf(flow);
    shown.forEach((side, depth) => {
      const name = `${side}:${words[side]}`;
      const node = nodes.get(name) ?? { name, side, depth, text: words[side], requests: 0, flow };
      node.requests += flow.requests;
      nodes.set(name, node);
      if (!depth) return;
      const source = `${shown[depth - 1]}:${words[shown[depth - 1]]}`;
      const key = `${source}→${name}`;
      const one = links.get(key) ?? { source, target: name, value: 0, local: flow.local };
      one.value += flow.requests;
      if (one.local !== flow.local) one.local = undefined;
      links.set(key, one);
    });
  }
  return { nodes: [...nodes.values()].sort((a, b) => b.requests - a.requests), links: [...links.values()] };
};

const RESULT_COLOUR = { answered: "good", imperfect: "warn", failed: "bad", "broken off": "bad", cancelled: "muted" };

const sankey = (palette, { nodes, links }, models) => {
  const colour = modelColours(models, palette);
  const paint = (node) => {
    if (node.side === "model") return colour[node.text] ?? palette.muted;
    if (node.side === "result") return palette[RESULT_COLOUR[node.text]] ?? palette.muted;
    return palette.muted;
  };
  const tone = (one) => (one.local === undefined || one.local === null ? palette.muted : one.local ? palette.home[0] : palette.cloud[0]);
  return {
    tooltip: {
      trigger: "item",
      formatter: ({ data, dataType }) =>
        dataType === "edge"
          ? tip(`${data.source.split(":").slice(1).join(":")} → ${data.target.split(":").slice(1).join(":")}`, [{ name: "Requests", value: number(data.value) }])
          : tip(data.text, [{ name: SIDES[data.side], value: count(data.requests, "request") }]),
    },
    series: {
      type: "sankey",
      left: 2,
      right: narrow() ? 96 : 136,
      top: 8,
      bottom: 8,
      nodeWidth: 10,
      nodeGap: narrow() ? 24 : 18,
      nodeAlign: "justify",
      layoutIterations: 48,
      draggable: false,
      emphasis: { focus: "trajectory" },
      data: nodes.map((node) => ({
        ...node,
        itemStyle: { color: paint(node), borderWidth: 0, borderRadius: 2 },
        label: { position: "right", distance: 8 },
      })),
      links: links.map((one) => ({ ...one, lineStyle: { color: tone(one) } })),
      lineStyle: { opacity: document.documentElement.dataset.theme === "dark" ? 0.3 : 0.22, curveness: 0.5 },
      label: {
        color: palette.ink,
        fontSize: narrow() ? 12 : 13,
        fontFamily: palette.font,
        width: narrow() ? 92 : 270,
        overflow: "truncate",
        formatter: ({ data }) => (narrow() ? `${data.text}\n{n|${number(data.requests)}}` : `${data.text}  {n|${number(data.requests)}}`),
        lineHeight: 16,
        rich: { n: { color: palette.muted, fontSize: 12, lineHeight: 15, padding: narrow() ? 0 : [0, 0, 0, 5] } },
      },
    },
  };
};

const Flows = ({ data }) => {
  const shown = sides();
  const gathered = useMemo(() => gather(data.flows, shown), [data, shown.length]);
  const models = [...new Map(data.flows.filter((flow) => flow.shown).map((flow) => [flow.shown, { shown: flow.shown, local: flow.local }])).values()];
  const most = Math.max(...shown.map((side) => gathered.nodes.filter((node) => node.side === side).length));
  const open = ({ data: picked, dataType }) => {
    if (dataType === "node") location.hash = link("requests", queryOf(picked.side, picked.flow, data));
  };
  const home = sum(data.flows.filter((flow) => flow.local));
  return html`
    <div class="flow-head" aria-hidden="true">${shown.map((side) => html`<span>${SIDES[side]}</span>`)}</div>
    <${Chart}
      label=${`Requests from task by route and model to result: ${percent(home / data.requests)} of ${number(data.requests)} were answered at home. The table below says the same.`}
      height=${Math.max(narrow() ? 340 : 380, most * 54)}
      draw=${(palette) => sankey(palette, gathered, models)}
      on=${[data, shown.length]}
      onPick=${open}
    />
    <p class="legend"><span><${Place} local=${true} />at home</span><span><${Place} local=${false} />in the cloud</span><span class="muted">Choose a box to see its requests</span></p>
    <details class="as-table">
      <summary>The same as a table</summary>
      <${FlowTable} data=${data} />
    </details>
  `;
};

const sum = (flows) => flows.reduce((total, flow) => total + flow.requests, 0);

const FlowTable = ({ data }) => {
  const rows = [...data.flows].sort((a, b) => b.requests - a.requests);
  const columns = [
    { key: "task", title: "Task", cell: (row) => row.task ?? html`<span class="muted">${UNSURE}</span>`, sort: (row) => row.task },
    { key: "route", title: "Route", cell: (row) => row.route, sort: (row) => row.route },
    { key: "model", title: "Model", cell: (row) => html`<${Place} local=${row.local} />${row.shown ?? NOBODY}`, sort: (row) => row.shown },
    { key: "result", title: "Result", cell: (row) => `${STATUS[row.status]?.[1] ?? row.status}${row.fallback ? `, paid: ${row.fallback}` : ""}`, sort: (row) => row.status },
    { key: "requests", title: "Requests", right: true, cell: (row) => html`<a href=${link("requests", { ...queryOf("task", row, data), route: row.route, model: row.model, status: row.status, fallback: row.fallback })}>${number(row.requests)}</a>`, sort: (row) => row.requests },
    { key: "cost", title: "Paid", right: true, cell: (row) => (row.unpriced === row.requests ? "unknown" : dollars(row.cost)), sort: (row) => row.cost },
  ];
  return html`<${Table} caption="Requests by task, route, model and result" columns=${columns} rows=${rows} />`;
};

// ── The rules ────────────────────────────────────────────────────────────────────────────────────────────────────────

const Routes = ({ data }) => {
  const local = Object.fromEntries(data.models.map((model) => [model.name, model.local]));
  const [all, setAll] = useState(false);
  const of = (name) => data.flows.filter((flow) => flow.route === name);
  const named = new Set(data.routes.map((route) => route.name));
  const gone = [...new Set(data.flows.map((flow) => flow.route))].filter((name) => !named.has(name));
  const rows = data.routes.map((route, index) => ({ ...route, place: index + 1, flows: of(route.name) }));
  const others = gone.map((name) => ({ name, place: "", rule: name === "asked for by name" ? "the caller names the model" : "not in the config any more", chain: [], flows: of(name) }));
  const most = Math.max(1, ...rows.map((row) => sum(row.flows)));
  const columns = [
    { key: "place", title: "", cell: (row) => html`<span class="muted">${row.place}</span>` },
    { key: "name", title: "Route", cell: (row) => html`<strong>${row.name}</strong>` },
    { key: "rule", title: "When", cell: (row) => html`<span class="wrap">${row.rule}</span>` },
    { key: "chain", title: "Then try", cell: (row) => html`<span class="chain">${row.chain.map((name, index) => html`${index > 0 && html`<span class="muted" aria-label="then">→</span>`}<span><${Place} local=${local[name]} />${name}</span>`)}</span>` },
    {
      key: "requests",
      title: "Requests",
      right: true,
      cell: (row) => html`<span class="hits"><span class="hit-bar" style=${{ width: `${(64 * sum(row.flows)) / most}px` }}></span>${sum(row.flows) ? html`<a href=${link("requests", { route: row.name, since: data.since, until: data.until })}>${number(sum(row.flows))}</a>` : "0"}</span>`,
    },
    { key: "home", title: "At home", right: true, cell: (row) => (sum(row.flows) ? percent(sum(row.flows.filter((flow) => flow.local)) / sum(row.flows), 0) : html`<span class="muted">none yet</span>`) },
    { key: "cost", title: "Paid", right: true, cell: (row) => dollars(row.flows.reduce((total, flow) => total + flow.cost, 0)) },
  ];
  const shown = all ? [...rows, ...others] : rows;
  return html`
    <${Section} title="Rules" note="Read from top to bottom; the first that matches takes the request.">
      <${Table} caption="Routes in order, with their rules and requests" columns=${columns} rows=${shown} rowKey=${(row) => row.name} />
      ${others.length > 0 && html`<button type="button" class="quiet more" onClick=${() => setAll(!all)} aria-expanded=${all}>${all ? "Only the rules in force" : `${count(others.length, "way")} outside these rules`}</button>`}
    <//>
  `;
};
