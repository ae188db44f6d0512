// What happened in a period: how much was asked, how much stayed at home, what it cost and what that saved.
import { html } from "../vendor/preact/standalone.module.js";
import { useJson } from "../lib/api.js";
import { axis, Chart, colours, modelColours, tip } from "../lib/charts.js";
import { count, date, dollars, duration, number, percent, short } from "../lib/format.js";
import { beforeSaid, PeriodPicker, periodQuery } from "../lib/period.js";
import { link } from "../lib/route.js";
import { Table } from "../lib/table.js";
import { Choice, Empty, Fault, Notice, Page, Place, Section, Tag, Wait } from "../lib/ui.js";

export const title = "Overview";

export const View = ({ params, go }) => {
  const { data, error, reload } = useJson("/admin/overview", periodQuery(params), { every: 60 });
  const picker = data && data.first === null ? null : html`<${PeriodPicker} params=${params} go=${go} />`;
  return html`
    <${Page} title=${title} note=${data && data.first !== null ? data.days : ""} aside=${picker}>
      ${error && html`<${Fault} error=${error} retry=${reload} />`}
      ${!data && !error && html`<${Wait} height=${150} /><${Section} title=""><${Wait} height=${320} /><//>`}
      ${data && (data.first === null ? html`<${Nothing} />` : data.now.requests ? html`<${Told} data=${data} params=${params} go=${go} />` : html`<${Quiet} data=${data} />`)}
    <//>
  `;
};

const Nothing = () => html`
  <${Empty}
    title="No request has passed yet"
    command=${`curl ${location.origin}/v1/chat/completions -H 'content-type: application/json' \\\n  -d '{"model": "auto", "messages": [{"role": "user", "content": "Say hello."}]}'`}
  >
    <p>Point a client at <code>${location.origin}/v1</code> with the model <code>auto</code>, or send a first request by hand. <code>headgate demo</code> shows a whole week at work.</p>
  <//>
`;

const Quiet = ({ data }) => html`
  <${Empty} title="Nothing was asked in this time">
    <p>
      The first request in the ledger is of ${date(data.first)}.
      ${" "}<a href=${link("overview", { period: "month" })}>Look at this month</a>, or choose other days above.
    </p>
  <//>
`;

const Told = ({ data, params, go }) => {
  const rows = (more = {}) => link("requests", { ...periodQuery(params), ...more });
  return html`
    ${data.warnings.length > 0 &&
    html`<div class="notices">${data.warnings.map((said) => html`<${Notice} kind="warn"><p><strong class="lead">Warning</strong> ${said}</p><//>`)}</div>`}
    <${Headline} data=${data} rows=${rows} />
    <${OverTime} data=${data} params=${params} go=${go} rows=${rows} />
    <div class="columns">
      <${Speed} data=${data} rows=${rows} />
      <${Fallbacks} data=${data} rows=${rows} />
    </div>
    <${LocalFailures} data=${data} rows=${rows} />
    ${data.notes.length > 0 && html`<${Section} title="How to read these figures"><ul class="footnotes">${data.notes.map((note) => html`<li>${note}</li>`)}</ul><//>`}
  `;
};

// ── The figures ──────────────────────────────────────────────────────────────────────────────────────────────────────

const Headline = ({ data, rows }) => {
  const { now, before, series } = data;
  const than = beforeSaid(data.period.word);
  const total = (pick) => series.edges.slice(1).map((_, i) => series.lines.reduce((sum, line) => sum + pick(line, i), 0));
  const asked = total((line, i) => line.requests[i]);
  const home = total((line, i) => (line.local ? line.requests[i] : 0));
  const spent = total((line, i) => line.cost[i]);
  const whole = series.edges.slice(1).filter((edge) => edge <= data.period.as_of).length; // the one that still runs would look like a fall
  const cut = (values) => values.slice(0, Math.max(whole, 2));
  return html`
    <dl class="headline">
      <div class="figure main">
        <dt>Saved</dt>
        <dd class="big"><a href=${rows()}>${dollars(now.savings.saved)}</a></dd>
        <dd class="trend"><${Trend} now=${now.savings.saved} before=${before.savings.saved} say=${dollars} than=${than} /></dd>
        <dd class="more">${percent(now.savings.share)} of what ${data.baseline} would have cost, ${dollars(now.savings.baseline)}</dd>
        <${Net} savings=${now.savings} alternative=${data.alternative} breakEven=${data.break_even} />
      </div>
      <div class="figure">
        <dt>Requests</dt>
        <dd class="big"><a href=${rows()}>${number(now.requests)}</a></dd>
        <dd class="trend"><${Trend} now=${now.requests} before=${before.requests} say=${number} than=${than} /></dd>
        <dd class="line"><${Spark} values=${cut(asked)} kind="ink" /></dd>
        ${now.unanswered > 0 && html`<dd class="more"><a href=${rows({ answered: "no" })}>${number(now.unanswered)} without an answer</a></dd>`}
      </div>
      <div class="figure">
        <dt>Answered at home</dt>
        <dd class="big"><a href=${rows({ local: "yes" })}>${percent(now.requests ? now.at_home / now.requests : null)}</a></dd>
        <dd class="trend">
          <${Points} now=${share(now)} before=${share(before)} than=${than} />
        </dd>
        <dd class="line"><${Spark} values=${cut(home)} kind="home" /></dd>
        <dd class="more">${number(now.at_home)} of ${number(now.requests)}</dd>
      </div>
      <div class="figure">
        <dt>Spent</dt>
        <dd class="big"><a href=${rows({ local: "no" })}>${dollars(now.spent)}</a></dd>
        <dd class="trend"><${Trend} now=${now.spent} before=${before.spent} say=${dollars} than=${than} /></dd>
        <dd class="line"><${Spark} values=${cut(spent)} kind="cloud" /></dd>
        <dd class="more">
          ${count(now.paid, "paid answer")}${now.spent_unknown > 0 && html`<br /><a href=${rows({ unpriced: "yes" })}>${count(now.spent_unknown, "request")}</a> of unknown cost apart`}
        </dd>
      </div>
    </dl>
  `;
};

const share = (figures) => (figures.requests ? figures.at_home / figures.requests : null);

/** What is left of the savings once home's own costs are counted, and what a cheap model in the cloud would have cost. */
const Net = ({ savings, alternative, breakEven }) => {
  const lines = [];
  const most = savings.energy_unknown ? "at most " : ""; // the energy of some requests was not measured
  if (savings.energy_cost) lines.push(`${most}${dollars(savings.net_of_energy)} net of energy`);
  if (savings.net_of_hardware !== null) lines.push(`${most}${dollars(savings.net_of_hardware)} net of energy and hardware`);
  if (breakEven) lines.push(`The hardware has paid for itself on ${breakEven}`);
  const against = savings.against_alternative;
  if (savings.alternative && against !== null) { // null: some requests could not go there, and who won cannot be said
    lines.push(`All on ${alternative}: ${dollars(savings.alternative)}, so home ${against < 0 ? "lost" : "won"} by ${dollars(Math.abs(against))}`);
  }
  return lines.map((said) => html`<dd class="more" key=${said}>${said}</dd>`);
};

const Trend = ({ now, before, say, than }) => {
  if (before === null || now === null || !before) return html`<span class="muted">nothing to compare with</span>`;
  const change = (now - before) / Math.abs(before);
  const word = Math.abs(change) < 0.0005 ? "as" : change > 0 ? "up" : "down";
  const said = word === "as" ? "as before" : `${word === "up" ? "↑" : "↓"} ${Math.abs(change) >= 9.995 ? `${number(Math.abs(change) + 1)} times` : percent(Math.abs(change))}`;
  return html`<span title=${`${say(before)} in ${than}`}><span class="sr">${word} </span><b>${said}</b> <span class="muted">from ${say(before)}</span></span>`;
};

/** A share's change, in points. */
const Points = ({ now, before, than }) => {
  if (before === null || now === null) return html`<span class="muted">nothing to compare with</span>`;
  const points = (now - before) * 100;
  const said = Math.abs(points) < 0.05 ? "as before" : `${points > 0 ? "↑" : "↓"} ${Math.abs(points).toFixed(1)} points`;
  return html`<span title=${`${percent(before)} in ${than}`}><b>${said}</b> <span class="muted">from ${percent(before)}</span></span>`;
};

const Spark = ({ values, kind }) => {
  const most = Math.max(...values, 1e-12);
  const step = 100 / Math.max(values.length - 1, 1);
  const points = values.map((value, i) => `${(i * step).toFixed(2)},${(27 - (value / most) * 24).toFixed(2)}`);
  return html`
    <svg class=${`spark ${kind}`} viewBox="0 0 100 30" preserveAspectRatio="none" aria-hidden="true">
      <polygon points=${`0,30 ${points.join(" ")} 100,30`} />
      <polyline points=${points.join(" ")} vector-effect="non-scaling-stroke" />
    </svg>
  `;
};

// ── Over time ────────────────────────────────────────────────────────────────────────────────────────────────────────

const OverTime = ({ data, params, go, rows }) => {
  const { edges, labels, lines } = data.series;
  const by = params.by === "cost" ? "cost" : "requests";
  const say = by === "cost" ? dollars : number;
  const hourly = edges.length > 1 && edges[1] - edges[0] < 80_000;
  const at = (i) => labels[i];
  const shown = lines.filter((line) => by === "requests" || line.cost.some(Boolean));
  const names = shown.map((line) => ({ ...line, shown: line.shown ?? "no answer" }));
  const sum = (line) => line[by].reduce((all, one) => all + one, 0);
  const all = names.reduce((total, line) => total + sum(line), 0);
  const draw = (palette) => {
    const colour = modelColours(names, palette);
    return {
      grid: { left: 6, right: 6, top: 12, bottom: 0, containLabel: true },
      tooltip: {
        axisPointer: { type: "shadow" },
        formatter: (params) => {
          const known = params.filter((one) => one.value);
          const rowsShown = known.map((one) => ({ colour: one.color, name: one.seriesName, value: say(one.value) })).reverse();
          const head = `${at(params[0].dataIndex)}: ${say(known.reduce((total, one) => total + one.value, 0))}`;
          return tip(head, rowsShown);
        },
      },
      xAxis: axis(palette, { type: "category", data: labels, splitLine: { show: false } }),
      yAxis: axis(palette, {
        type: "value",
        minInterval: by === "requests" ? 1 : 0,
        splitNumber: 4,
        axisLabel: { color: palette.muted, formatter: (value) => (by === "cost" ? `$${short(value)}` : short(value)) },
      }),
      series: names.map((line, i) => ({
        name: line.shown,
        type: "bar",
        stack: "all",
        barMaxWidth: 56,
        barCategoryGap: "28%",
        cursor: "pointer",
        itemStyle: { color: colour[line.shown], borderColor: palette.page, borderWidth: 1 },
        data: line[by].map((value) => value || null), // a bar of nothing would leave its border
      })),
    };
  };
  const pick = ({ dataIndex, seriesIndex }) => {
    const line = shown[seriesIndex];
    location.hash = link("requests", { since: edges[dataIndex], until: edges[dataIndex + 1], shown: line.shown, answered: line.shown === null ? "no" : null });
  };
  const palette = colours();
  const colour = modelColours(names, palette);
  return html`
    <${Section}
      title=${by === "cost" ? "Spent over time" : "Requests over time"}
      note=${hourly ? "by hour and model" : "by day and model"}
      aside=${html`<${Choice} label="Show" value=${by} options=${[["requests", "Requests"], ["cost", "Cost"]]} onChange=${(word) => go({ by: word === "requests" ? null : word }, { replace: true })} />`}
    >
      ${names.length
        ? html`
            <ul class="legend">
              ${names.map(
                (line, i) => html`<li key=${line.shown}>
                  <i style=${{ background: colour[line.shown] }}></i>
                  <a href=${rows(shown[i].shown === null ? { answered: "no" } : { shown: line.shown })}>${line.shown}</a>
                  <span class="muted">${line.local ? "at home" : line.local === false ? "in the cloud" : ""} ${all ? percent(sum(line) / all) : ""}</span>
                </li>`,
              )}
            </ul>
            <${Chart}
              label=${`${by === "cost" ? "Dollars" : "Requests"} ${hourly ? "by hour" : "by day"}: ${names.map((line) => `${line.shown} ${say(sum(line))}`).join(", ")}`}
              height=${300}
              draw=${draw}
              on=${[JSON.stringify(data.series), by]}
              onPick=${pick}
            />
            <details class="as-table">
              <summary>As a table</summary>
              <${Table}
                caption=${by === "cost" ? "Dollars over time" : "Requests over time"}
                columns=${[
                  { key: "at", title: hourly ? "Hour" : "Day", cell: (i) => at(i) },
                  ...names.map((line) => ({ key: line.shown, title: line.shown, right: true, cell: (i) => say(line[by][i]) })),
                ]}
                rows=${edges.slice(0, -1).map((_, i) => i)}
                rowKey=${(i) => i}
              />
            </details>
          `
        : html`<p class="muted">Nothing was paid for in this time.</p>`}
    <//>
  `;
};

// ── How fast, why paid, where local fails ────────────────────────────────────────────────────────────────────────────

const Speed = ({ data, rows }) => {
  const most = Math.max(...data.models.map((model) => model.latency.p95 ?? 0), 1e-9);
  const at = (seconds) => `${(100 * seconds) / most}%`;
  return html`
    <${Section} title="How long answers took" note="half of them, 95 of 100">
      <${Table}
        caption="How long answers took, by model"
        rows=${data.models}
        rowKey=${(model) => model.shown}
        columns=${[
          { key: "model", title: "Model", cell: (model) => html`<${Place} local=${model.local} /><a href=${rows({ shown: model.shown })}>${model.shown}</a>` },
          { key: "p50", title: "p50", right: true, cell: (model) => duration(model.latency.p50), sort: (model) => model.latency.p50 },
          { key: "p95", title: "p95", right: true, cell: (model) => duration(model.latency.p95), sort: (model) => model.latency.p95 },
          {
            key: "bar",
            title: html`<span class="sr">p50 to p95</span>`,
            hide: "narrow",
            cell: (model) => html`<span class=${`reach ${model.local ? "home" : "cloud"}`} aria-hidden="true"><i style=${{ left: at(model.latency.p50), right: `${100 - (100 * model.latency.p95) / most}%` }}></i></span>`,
          },
          { key: "first", title: "First token", right: true, cell: (model) => duration(model.first_token.p50), sort: (model) => model.first_token.p50 },
        ]}
      />
      <p class="beneath muted">All answers: half within ${duration(data.now.latency.p50)}, 95 of 100 within ${duration(data.now.latency.p95)}; mean ${duration(data.now.latency.mean)}.</p>
    <//>
  `;
};

const Fallbacks = ({ data, rows }) => {
  const all = data.fallbacks.reduce((sum, one) => sum + one.requests, 0);
  const most = Math.max(...data.fallbacks.map((one) => one.requests), 1);
  return html`
    <${Section} title="Why a paid model answered" note=${all ? count(all, "request") : ""}>
      ${all === 0 && html`<p class="muted">It never did: everything that was answered was answered at home.</p>`}
      <ul class="bars">
        ${data.fallbacks.map(
          (one) => html`
            <li key=${one.said}>
              <a href=${rows({ fallback: one.reason })}>${one.said}</a>
              <span class="amount">${number(one.requests)} <span class="muted">${percent(one.requests / all)}</span></span>
              <span class="bar" aria-hidden="true"><i style=${{ width: `${(100 * one.requests) / most}%` }}></i></span>
            </li>
          `,
        )}
      </ul>
    <//>
  `;
};

const LocalFailures = ({ data, rows }) => {
  const tried = data.tasks.filter((task) => task.tried);
  if (!tried.length) return null;
  const scale = Math.min(1, Math.max(0.2, ...tried.map((task) => task.interval[1])));
  const at = (value) => `${(100 * Math.min(value, scale)) / scale}%`;
  return html`
    <${Section} title="Where local fails" note="answers of local models that failed or that a check rejected, with the 95% interval">
      <${Table}
        caption="Where local fails, by task"
        rows=${tried}
        rowKey=${(task) => task.task ?? "none"}
        columns=${[
          { key: "task", title: "Task", cell: (task) => html`<a href=${rows({ task: task.task ?? "none" })}>${task.task ?? "no evidence"}</a>` },
          { key: "tried", title: "Tried", right: true, cell: (task) => html`<a href=${rows({ task: task.task ?? "none", tried_locally: "yes" })}>${number(task.tried)}</a>`, sort: (task) => task.tried },
          { key: "failed", title: "Failed", right: true, hide: "narrow", cell: (task) => html`<a href=${rows({ task: task.task ?? "none", failed_locally: "yes" })}>${number(task.failed)}</a>`, sort: (task) => task.failed },
          { key: "rate", title: "Rate", right: true, cell: (task) => (task.failing ? html`<${Tag} kind="bad">${percent(task.rate)}<//>` : percent(task.rate)), sort: (task) => task.rate },
          {
            key: "interval",
            title: "Interval",
            cell: (task) => html`<span class="spread">
              <span class="reach ${task.failing ? "bad" : "home"}" aria-hidden="true"><i style=${{ left: at(task.interval[0]), right: `${100 - (100 * Math.min(task.interval[1], scale)) / scale}%` }}></i><b style=${{ left: at(task.rate) }}></b></span>
              <span class="muted">${percent(task.interval[0])} to ${percent(task.interval[1])}</span>
            </span>`,
          },
          { key: "verdict", title: html`<span class="sr">Verdict</span>`, cell: (task) => (task.failing ? html`<${Tag} kind="bad">too often<//>` : "") },
        ]}
      />
    <//>
  `;
};
