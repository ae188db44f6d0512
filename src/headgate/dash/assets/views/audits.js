// What audits found: how many fallbacks were unnecessary and how many local answers wrong, with intervals; and pairs to look at.
import { html } from "../vendor/preact/standalone.module.js";
import { useJson } from "../lib/api.js";
import { axis, Chart, tip } from "../lib/charts.js";
import { count, dollars, number, percent } from "../lib/format.js";
import { PeriodPicker, periodQuery } from "../lib/period.js";
import { Review } from "../lib/review.js";
import { Table } from "../lib/table.js";
import { Choice, Empty, Fault, Notice, Page, Section, Tag, Wait } from "../lib/ui.js";

export const title = "Audits";

export const View = ({ params, go }) => {
  const found = useJson("/admin/audits/estimates", periodQuery(params));
  const standing = useJson("/admin/audits", {}, { every: 30 });
  const { data, error, reload } = found;
  const again = () => {
    reload();
    standing.reload();
  };
  return html`
    <${Page} title=${title} note=${data ? data.days : ""} aside=${html`<${PeriodPicker} params=${params} go=${go} />`}>
      ${error && html`<${Fault} error=${error} retry=${reload} />`}
      ${!data && !error && html`<${Wait} height=${170} /><${Section} title=""><${Wait} height=${280} /><//>`}
      ${data && (data.audited.judges.length ? html`<${Found} data=${data} params=${params} go=${go} />` : html`<${Nothing} data=${data} standing=${standing.data} />`)}
      ${standing.error && html`<${Fault} error=${standing.error} retry=${standing.reload} />`}
      ${standing.data && html`<${Queue} standing=${standing.data} />`}
      ${standing.data && html`<${Review} onJudged=${again} />`}
    <//>
  `;
};

const Nothing = ({ data, standing }) => html`
  <${Empty} title=${standing?.on ? "Nothing of this time has been audited yet" : "Nothing is audited yet"} command=${standing?.on ? "headgate audit run" : "[audit]\nsample = 0.1\nlocal_sample = 0.02\npaid_per_week = 1.0"}>
    <p>
      ${standing?.on
        ? "Requests are chosen, and their audits are made when nobody asks for anything. To have them made now:"
        : "An audit repeats a paid request at home, or a local answer on the paid model, and compares both. In headgate.toml:"}
    </p>
    <ul class="plain-list">${data.lines.map((line) => html`<li><code>${line.figure}</code> ${line.remark}</li>`)}</ul>
  <//>
`;

// ── Estimates ────────────────────────────────────────────────────────────────────────────────────────────────────────

const ends = (span, say) => `${say(span.low)} to ${say(span.high)}`;
const round = (value) => number(Math.round(value));

const Found = ({ data, params, go }) => {
  const { fallbacks, local, curves, agreement, judges, cost } = data.audited;
  return html`
    <dl class="headline audits">
      <${Figure} name="Unnecessary fallbacks" of="fallbacks" made=${fallbacks.all} money="wasted" />
      <${Figure} name="Missed escalations" of="local answers" made=${local.all} money="what the baseline would have cost" />
      <div class="figure">
        <dt>Audits cost</dt>
        <dd class="big">${dollars(cost)}</dd>
        <dd class="more">repeated answers and judges</dd>
      </div>
    </dl>
    <div class="columns">
      <${Causes} estimates=${fallbacks} />
      <${Judges} judges=${judges} agreement=${agreement} />
    </div>
    ${curves.length > 0 && html`<${Curves} curves=${curves} params=${params} go=${go} />`}
    <${Strata} title="Fallbacks by route and task" rows=${fallbacks.by_stratum} hits="Unnecessary" />
    <${Strata} title="Local answers by route and task" rows=${local.by_stratum} hits="Missed" />
  `;
};

/** Dollars of which some parts are unknown, if any is. */
const least = (amount, unpriced) => `${unpriced > 0 && amount !== null && amount !== undefined ? ">= " : ""}${dollars(amount)}`;

const Figure = ({ name, of, made, money }) => {
  if (!made.number) {
    const said = made.judged ? `${number(made.found)} of ${number(made.judged)} audited; not chosen by chance, so they tell nothing of the others` : `no audit of ${count(made.requests, of.replace(/s$/, ""), of)}`;
    return html`<div class="figure"><dt>${name}</dt><dd class="big muted">not known</dd><dd class="more">${said}</dd></div>`;
  }
  const share = (value) => (made.requests ? value / made.requests : 0);
  const { low, expected, high } = made.number;
  return html`
    <div class="figure">
      <dt>${name}</dt>
      <dd class="big">${made.whole ? "" : "≈ "}${round(expected)}</dd>
      <dd class="more">${made.whole ? "counted" : ends(made.number, round)} of ${number(made.requests)} ${of}</dd>
      <dd class="line"><${Reach} low=${share(low)} at=${share(expected)} high=${share(high)} /></dd>
      <dd class="more">${percent(share(expected))}${made.whole ? "" : `, 95% between ${percent(share(low))} and ${percent(share(high))}`}</dd>
      <dd class="more">${made.dollars ? `${least(made.dollars.expected, made.unpriced)} ${money}` : "cost unknown"}${made.dollars && !made.whole && !made.unpriced ? ` (${ends(made.dollars, dollars)})` : ""}</dd>
      ${made.unclear > 0 && made.if_unclear && html`<dd class="more">${number(made.unclear)} unclear: ${round(made.if_unclear[0])} to ${round(made.if_unclear[1])} if they all were one or the other</dd>`}
    </div>
  `;
};

/** A share and its interval on a line from 0 to 100 %. */
const Reach = ({ low, at, high }) => html`
  <span class="reach wide home" aria-hidden="true"><i style=${{ left: `${100 * low}%`, right: `${100 - 100 * high}%` }}></i><b style=${{ left: `${Math.min(100 * at, 99)}%` }}></b></span>
`;

const expected = (row) => row.number?.expected ?? -1;

const Causes = ({ estimates }) => html`
  <${Section} title="By what caused them" note="the check that rejected the local answer, or the reason of the fallback">
    <${Table}
      caption="Unnecessary fallbacks by cause"
      rows=${estimates.by_cause}
      rowKey=${(row) => row.cause}
      empty="No fallback was audited."
      columns=${[
        { key: "cause", title: "Cause", cell: (row) => row.cause },
        { key: "number", title: "Unnecessary", right: true, sort: expected, cell: (row) => html`<${Number} span=${row.number} whole=${estimates.all.whole} />` },
        { key: "dollars", title: "Dollars", right: true, sort: (row) => row.dollars?.expected ?? -1, cell: (row) => (row.number ? least(row.dollars?.expected, row.unpriced) : "") },
        { key: "judged", title: "Judged", right: true, hide: "narrow", cell: (row) => `${number(row.found)} of ${number(row.judged)}` },
      ]}
    />
  <//>
`;

const Number = ({ span, whole }) => {
  if (!span) return html`<span class="muted">not known</span>`;
  return html`<strong>${round(span.expected)}</strong>${!whole && html`<span class="ends muted">${ends(span, round)}</span>`}`;
};

const Strata = ({ title: name, rows, hits }) => html`
  <${Section} title=${name}>
    <${Table}
      caption=${name}
      rows=${rows}
      rowKey=${(row) => `${row.route} ${row.task}`}
      columns=${[
        { key: "route", title: "Route", cell: (row) => html`${row.route}<span class="only-narrow under flush muted">${row.task ?? "no evidence"}</span>` },
        { key: "task", title: "Task", hide: "narrow", cell: (row) => row.task ?? html`<span class="muted">no evidence</span>` },
        { key: "requests", title: "Requests", right: true, sort: (row) => row.requests, cell: (row) => number(row.requests) },
        { key: "judged", title: "Judged", right: true, hide: "narrow", sort: (row) => row.judged, cell: (row) => `${number(row.judged)}${row.unclear ? ` + ${number(row.unclear)} unclear` : ""}` },
        { key: "number", title: hits, right: true, sort: expected, cell: (row) => html`<${Number} span=${row.number} whole=${row.whole} />` },
      ]}
    />
  <//>
`;

const LABELS = new Set(["person", "caller"]);

const Judges = ({ judges, agreement }) => {
  const rows = judges.flatMap((judge) => {
    const known = agreement.filter((one) => one.judge === judge);
    return known.length ? known : [{ judge, by: "", rate: null, pairs: 0 }];
  });
  const said = (row) => {
    if (LABELS.has(row.judge)) return html`<${Tag} kind="good">a label<//>`;
    if (!row.pairs) return html`<span class="muted">no labels yet</span>`;
    return html`<strong>${percent(row.rate)}</strong><span class="ends muted">${percent(row.low)} to ${percent(row.high)}</span>`;
  };
  return html`
    <${Section} title="Judges" note="how often they say what a person or a caller says">
      <${Table}
        caption="Judges and their agreement with labels"
        rows=${rows}
        rowKey=${(row) => `${row.judge} ${row.by}`}
        columns=${[
          { key: "judge", title: "Judge", cell: (row) => html`${row.judge}${row.by && html`<span class="ends muted">${row.by}</span>`}` },
          { key: "rate", title: "Agrees", right: true, cell: said },
          { key: "pairs", title: "Labels", right: true, cell: (row) => (LABELS.has(row.judge) ? "" : number(row.pairs)) },
        ]}
      />
    <//>
  `;
};

// ── Curves ───────────────────────────────────────────────────────────────────────────────────────────────────────────

const Curves = ({ curves, params, go }) => {
  const curve = curves.find((one) => one.check === params.check) ?? curves[0];
  const unpriced = curve.points.some((point) => point.unpriced > 0);
  const at = (point) => `pass at ${point.pass_at.toFixed(1)}`;
  const draw = (palette) => ({
    grid: { left: 8, right: 24, top: 16, bottom: 8, containLabel: true },
    tooltip: {
      trigger: "item",
      formatter: ({ dataIndex }) => {
        const point = curve.points[dataIndex];
        return tip(at(point), [
          { colour: palette.home[0], name: "not good, of those that go out", value: `${round(point.failures.expected)} (${ends(point.failures, round)})` },
          { name: "go out", value: round(point.at_home) },
          { name: "for the others", value: dollars(point.dollars) },
        ]);
      },
    },
    xAxis: axis(palette, { type: "value", axisLabel: { color: palette.muted, formatter: (value) => `$${value}`, hideOverlap: true } }),
    yAxis: axis(palette, { type: "value", min: 0, max: Math.ceil(Math.max(1, ...curve.points.map((point) => point.failures.high))) }),
    series: [
      {
        type: "custom",
        silent: true,
        data: [0],
        renderItem: (_, draws) => ({
          type: "polygon",
          shape: { points: [...curve.points.map((point) => draws.coord([point.dollars, point.failures.high])), ...[...curve.points].reverse().map((point) => draws.coord([point.dollars, point.failures.low]))] },
          style: { fill: palette.home[0], opacity: 0.15 },
        }),
      },
      {
        type: "line",
        data: curve.points.map((point) => [point.dollars, point.failures.expected]),
        symbolSize: 9,
        symbol: "circle",
        itemStyle: { color: palette.home[0] },
        lineStyle: { color: palette.home[0], width: 2 },
        labelLayout: { hideOverlap: true },
        label: { show: true, position: "top", color: palette.ink, formatter: ({ dataIndex }) => (dataIndex % 2 ? "" : curve.points[dataIndex].pass_at.toFixed(1)) },
      },
    ],
  });
  return html`
    <${Section}
      title="What a threshold costs"
      note=${`answers that are not good, against dollars for those that would be paid for, as if ${curve.check} alone decided; ${number(curve.judged)} judged`}
      aside=${curves.length > 1 && html`<${Choice} label="Check" value=${curve.check} options=${curves.map((one) => [one.check, one.check])} onChange=${(check) => go({ check })} />`}
    >
      ${unpriced ? html`<p class="beneath muted">What the others would cost is not known of all, so there is nothing to draw.</p>` : html`<${Chart} label=${`Failures against dollars at each threshold of the check ${curve.check}; the figures stand below.`} height=${300} draw=${draw} on=${[curve]} />`}
      <details open=${unpriced}>
        <summary>As a table</summary>
        <${Table}
          caption=${`The check ${curve.check} at each threshold`}
          rows=${curve.points}
          rowKey=${(point) => point.pass_at}
          columns=${[
            { key: "at", title: "Pass at", cell: (point) => point.pass_at.toFixed(1) },
            { key: "home", title: "Go out", right: true, cell: (point) => round(point.at_home) },
            { key: "bad", title: "Not good", right: true, cell: (point) => html`${round(point.failures.expected)}<span class="ends muted">${ends(point.failures, round)}</span>` },
            { key: "dollars", title: "For the others", right: true, cell: (point) => least(point.dollars, point.unpriced) },
          ]}
        />
      </details>
    <//>
  `;
};

// ── The queue ────────────────────────────────────────────────────────────────────────────────────────────────────────

const sum = (counts) => Object.values(counts).reduce((all, one) => all + one, 0);

const Queue = ({ standing }) => {
  const { queue } = standing;
  const kinds = [["fallback", "Fallbacks"], ["local", "Local answers"]];
  const why = Object.entries({ ...queue.delayed, ...queue.failures });
  if (!sum(queue.chosen)) return null;
  return html`
    <${Section} title="The queue" note=${standing.under_way ? "one is being made now" : standing.on ? "made while nobody asks for anything" : "nothing new is chosen: [audit] is off"}>
      <${Table}
        caption="Requests that were chosen to be audited"
        rows=${kinds}
        rowKey=${([kind]) => kind}
        columns=${[
          { key: "kind", title: "Chosen", cell: ([, name]) => name },
          ...["chosen", "waiting", "judged", "failed"].map((state) => ({ key: state, title: state[0].toUpperCase() + state.slice(1), right: true, hide: state === "chosen" ? "narrow" : undefined, cell: ([kind]) => number(queue[state][kind] ?? 0) })),
        ]}
      />
      ${why.length > 0 && html`<${Notice}><ul class="plain-list">${why.map(([reason, times]) => html`<li>${count(times, "time")}: ${reason}</li>`)}</ul><//>`}
      <p class="beneath muted">Prompts and answers of ${count(queue.kept, "request")} are kept for it${queue.sealed ? `, ${number(queue.sealed)} of them sealed` : ""}. Paid this week: ${dollars(standing.paid_this_week)} of ${dollars(standing.paid_per_week)}.</p>
    <//>
  `;
};
