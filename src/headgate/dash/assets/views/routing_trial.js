// Settings tried on what was recorded: sliders on one side, what would have become of the requests on the other. Nothing is changed.
import { html } from "../vendor/preact/standalone.module.js";
import { count, dollars, number, percent } from "../lib/format.js";
import { parseSet, useReplay, writeSet } from "../lib/replay.js";
import { Table } from "../lib/table.js";
import { Command, Fault, Notice, Place, Section } from "../lib/ui.js";

export const Trial = ({ data, params, go }) => {
  const settings = parseSet(params.set);
  const replay = useReplay(params.set ?? "", data.since, data.until);
  const change = (name, value, now) => {
    const next = { ...settings, [name]: value };
    if (value === null || String(value) === String(now)) delete next[name];
    go({ set: writeSet(next) }, { replace: true });
  };
  return html`
    <${Section}
      title="Try other settings"
      note="Replays the recorded requests without calling a model. Nothing is changed."
      aside=${params.set ? html`<button type="button" class="quiet" onClick=${() => go({ set: null })}>Reset</button>` : null}
    >
      <div class="trial">
        <div class="knobs"><${Knobs} data=${data} settings=${settings} change=${change} /></div>
        <div class="verdict" aria-live="polite" aria-busy=${replay.running}><${Verdict} data=${data} replay=${replay} tried=${Boolean(params.set)} /></div>
      </div>
    <//>
  `;
};

// ── The knobs ────────────────────────────────────────────────────────────────────────────────────────────────────────

const Knobs = ({ data, settings, change }) => {
  const chat = data.routes.filter((route) => route.kind === "chat");
  const longest = Math.max(2000, ...data.lengths.map((band) => band.from * 1.25), ...chat.flatMap((route) => [2 * (route.tokens_over ?? 0), 2 * (route.tokens_under ?? 0)]));
  const limits = chat.flatMap((route) => ["tokens_over", "tokens_under"].filter((key) => route[key] !== null && route[key] !== undefined).map((key) => [route, key]));
  return html`
    ${limits.map(([route, key]) => {
      const name = `routes.${route.name}.${key}`;
      return html`<${LengthKnob} key=${name} route=${route} word=${key === "tokens_over" ? "over" : "under"} now=${route[key]} value=${Number(settings[name] ?? route[key])} lengths=${data.lengths} longest=${longest} onChange=${(value) => change(name, value, route[key])} />`;
    })}
    <${ShareKnob} title="An answer passes at" note="The score that the checks of an answer have to reach" now=${data.quality.pass_at} value=${Number(settings["quality.pass_at"] ?? data.quality.pass_at)} onChange=${(value) => change("quality.pass_at", value, data.quality.pass_at)} />
    <${ShareKnob} title="A task is believed from" note="How sure the classifier has to be; below that, a request has no task" now=${data.quality.task_confidence} value=${Number(settings["quality.task_confidence"] ?? data.quality.task_confidence)} onChange=${(value) => change("quality.task_confidence", value, data.quality.task_confidence)} />
    <${Chains} routes=${chat} models=${data.models} settings=${settings} change=${change} />
  `;
};

const Changed = ({ now, value, say }) => (String(now) === String(value) ? html`<span class="muted">as it is</span>` : html`<span class="muted">now ${say(now)}</span>`);

const STEPS = 200;
const LEAST = 10; // tokens

/** A slider over lengths of prompts; it moves by ratios, since a hundred tokens are much at 300 and little at 30,000. */
const LengthKnob = ({ route, word, now, value, lengths, longest, onChange }) => {
  const place = (tokens) => Math.round((STEPS * Math.log(Math.max(tokens, LEAST) / LEAST)) / Math.log(longest / LEAST));
  const tokens = (at) => round(LEAST * (longest / LEAST) ** (at / STEPS));
  const id = `knob-${route.name}-${word}`.replaceAll(/\W/g, "-");
  const most = Math.max(1, ...lengths.map((band) => band.requests));
  return html`
    <div class="knob">
      <div class="knob-head"><label for=${id}>${route.name}: ${word}</label><output for=${id}>${count(value, "token")}</output></div>
      <div class="bands" aria-hidden="true">
        ${lengths.map((band) => html`<i class=${(word === "over" ? band.from > value : band.from < value) ? "in" : ""} style=${{ left: `${Math.min(100, Math.max(0, (100 * place(band.from)) / STEPS))}%`, height: `${Math.max(2, (30 * band.requests) / most)}px` }}></i>`)}
      </div>
      <input id=${id} type="range" min="0" max=${STEPS} value=${place(value)} aria-valuetext=${count(value, "token")} onInput=${(event) => onChange(Math.abs(event.currentTarget.value - place(now)) < 1 ? now : tokens(Number(event.currentTarget.value)))} />
      <p class="knob-note"><${Changed} now=${now} value=${value} say=${number} /><span class="muted">the bars are the prompts of this time, by length</span></p>
    </div>
  `;
};

const round = (tokens) => {
  const step = tokens < 200 ? 5 : tokens < 1000 ? 10 : tokens < 5000 ? 50 : 10 ** (Math.floor(Math.log10(tokens)) - 1);
  return Math.round(tokens / step) * step;
};

const ShareKnob = ({ title, note, now, value, onChange }) => {
  const id = `knob-${title}`.replaceAll(/\W/g, "-");
  return html`
    <div class="knob">
      <div class="knob-head"><label for=${id}>${title}</label><output for=${id}>${value.toFixed(2)}</output></div>
      <input id=${id} type="range" min="0" max="1" step="0.01" value=${value} onInput=${(event) => onChange(Number(event.currentTarget.value))} />
      <p class="knob-note"><${Changed} now=${now} value=${value} say=${(share) => share.toFixed(2)} /><span class="muted">${note}</span></p>
    </div>
  `;
};

const Chains = ({ routes, models, settings, change }) => {
  const local = Object.fromEntries(models.map((model) => [model.name, model.local]));
  const askable = models.filter((model) => model.kind === "chat").map((model) => model.name);
  return html`
    <details class="chains" open=${Object.keys(settings).some((name) => name.endsWith(".try"))}>
      <summary>Which models a route tries, in which order</summary>
      ${routes.map((route) => {
        const name = `routes.${route.name}.try`;
        const chain = settings[name]?.split(",") ?? route.chain;
        const set = (next) => change(name, next.join(","), route.chain.join(","));
        const rest = askable.filter((model) => !chain.includes(model));
        return html`
          <fieldset class="chain-edit" key=${name}>
            <legend>${route.name}</legend>
            ${chain.map((model, index) => html`
              <span class="chain-one" key=${model}>
                <${Place} local=${local[model]} />${model}
                ${index > 0 && html`<button type="button" class="small" aria-label=${`Try ${model} earlier on ${route.name}`} onClick=${() => set([...chain.slice(0, index - 1), model, chain[index - 1], ...chain.slice(index + 1)])}>←</button>`}
                ${chain.length > 1 && html`<button type="button" class="small" aria-label=${`Leave ${model} out of ${route.name}`} onClick=${() => set(chain.filter((one) => one !== model))}>×</button>`}
              </span>
            `)}
            ${rest.length > 0 && html`<select aria-label=${`Add a model to ${route.name}`} value="" onChange=${(event) => event.currentTarget.value && set([...chain, event.currentTarget.value])}><option value="">add …</option>${rest.map((model) => html`<option value=${model}>${model}</option>`)}</select>`}
          </fieldset>
        `;
      })}
    </details>
  `;
};

// ── What would have come of it ───────────────────────────────────────────────────────────────────────────────────────

const Verdict = ({ data, replay, tried }) => {
  const { result, error, running, done, of } = replay;
  if (!tried) return html`<p class="verdict-idle">Move a slider. The ${count(data.requests, "request")} of this time are then decided anew, and what would be different is shown here.</p>`;
  if (error) return html`<${Fault} error=${error} />`;
  return html`
    ${running && html`<div class="progress" role="progressbar" aria-label="Replaying" aria-valuemin="0" aria-valuemax="100" aria-valuenow=${of ? Math.round((100 * done) / of) : 0}><span style=${{ width: `${of ? (100 * done) / of : 4}%` }}></span></div>`}
    ${result ? html`<div class=${running ? "stale" : ""}><${Found} result=${result} /></div>` : html`<p class="verdict-idle">Reading the recorded requests …</p>`}
  `;
};

const ends = (span, say) => {
  const [low, high] = [say(span.low), say(span.high)];
  return low === high ? "" : `${low} to ${high}`;
};

const whole = (value) => number(Math.round(value));

const Found = ({ result }) => {
  const { to_home: home, to_cloud: cloud, dollars: money } = result;
  const nothing = result.unchanged === result.requests;
  if (nothing) return html`<p class="verdict-lead">No request would have gone another way.</p><${Lines} result=${result} />`;
  const saved = money.expected < 0;
  const sign = (amount) => `${amount > 0 ? "+" : amount < 0 ? "−" : ""}${dollars(Math.abs(amount))}`;
  return html`
    <dl class="verdict-figures">
      <div><dt>${saved ? "Saved besides" : "Paid besides"}</dt><dd class="big">${dollars(Math.abs(money.expected))}</dd><dd class="muted">${ends(money, sign)}${ends(money, sign) ? ", " : ""}on ${dollars(result.paid_before)} paid</dd></div>
      <div><dt><${Place} local=${true} />Would come home</dt><dd>${whole(home.expected)}</dd><dd class="muted">${ends(home, whole) || "for certain"}</dd></div>
      <div><dt><${Place} local=${false} />Would go to the cloud</dt><dd>${whole(cloud.expected)}</dd><dd class="muted">${ends(cloud, whole) || "for certain"}</dd></div>
      <${Quality} result=${result} />
    </dl>
    <${Sureness} result=${result} />
    <${Moves} moves=${result.moves} />
    <${Lines} result=${result} />
  `;
};

const share = (value) => percent(value, 1);

/** How many answers would be as good as the paid model's, and how that changes. */
const Quality = ({ result }) => {
  const { quality, good } = result;
  const told = quality.audited + quality.inferred + quality.modelled;
  const signed = (value) => `${Math.round(value) > 0 ? "+" : Math.round(value) < 0 ? "−" : ""}${whole(Math.abs(value))}`;
  if (quality.unjudged >= 0.5 && quality.unjudged >= told)
    return html`<div><dt>As good as paid</dt><dd>unknown</dd><dd class="muted">no audit tells of most answers from home; at least ${share(quality.after.low)}</dd></div>`;
  return html`<div>
    <dt>As good as paid</dt>
    <dd>${share(quality.after.expected)}</dd>
    <dd class="muted">${ends(quality.after, share) || "for certain"}; ${share(quality.before.expected)} before (${signed(good.expected)}${ends(good, signed) && `, ${ends(good, signed)}`} answers)</dd>
  </div>`;
};

const JUDGED = [
  ["paid", "paid"],
  ["audited", "audited themselves"],
  ["inferred", "judged by audits of others like them"],
  ["modelled", "judged by the learned router"],
  ["unjudged", "judged by nobody, so they may all be good or none"],
];

const judgedSaid = (quality) => {
  const parts = JUDGED.filter(([key]) => quality[key] >= 0.5).map(([key, said]) => `${whole(quality[key])} ${said}`);
  return quality.paid < quality.requests - 0.5 && parts.length ? `Of the answers, ${parts.join(", ")}.` : null;
};

const KINDS = [
  ["unchanged", "as they were"],
  ["exact", "changed, known from what was recorded"],
  ["estimated", "estimated: they meet a model that was not asked"],
  ["unknown", "nobody can tell"],
];

/** How much of the answer is known, as one bar and in words. */
const Sureness = ({ result }) => html`
  <div class="sure-bar" aria-hidden="true">${KINDS.map(([key]) => result[key] > 0 && html`<i class=${key} style=${{ flexGrow: result[key] }}></i>`)}</div>
  <ul class="sure-words">
    ${KINDS.filter(([key]) => result[key] > 0).map(([key, said]) => html`<li><i class=${key}></i><b>${number(result[key])}</b> ${said}</li>`)}
  </ul>
  ${notes(result).length > 0 && html`<ul class="footnotes">${notes(result).map((note) => html`<li>${note}</li>`)}</ul>`}
`;

const notes = (result) => [
  ...[judgedSaid(result.quality)].filter(Boolean),
  ...(result.now_passing ? [`${count(result.now_passing, "answer")} that ${result.now_passing === 1 ? "was" : "were"} rejected would pass.`] : []),
  ...(result.now_rejected ? [`${count(result.now_rejected, "answer")} that passed would be rejected.`] : []),
  ...Object.entries(result.why_unknown).map(([why, many]) => `${number(many)} cannot be told: ${why}.`),
  ...(result.unpriced ? [`${number(result.unpriced)} are without a known price and not in the dollars.`] : []),
  ...(result.unsure ? [`${number(result.unsure)} prompts were only guessed to be on one side of a limit; the range allows for both.`] : []),
  ...(result.drifted ? [`${number(result.drifted)} would go otherwise already with today's config: it was changed since they were recorded.`] : []),
  ...result.rates.map(rateSaid),
];

const rateSaid = (rate) => {
  const said = `${rate.model} passes ${rate.task ?? "what has no task"} ${percent(rate.passed / rate.tried, 0)} of the time (${rate.audited ? count(Math.round(rate.tried), "audit") : count(rate.tried, "try", "tries")}, ${percent(rate.low, 0)} to ${percent(rate.high, 0)})`;
  if (rate.longer) return `${said}; it was never asked prompts this long, so it may do much worse.`;
  return rate.high === 1 && rate.passed < rate.tried && !rate.after ? `${said}; it was only asked after others had failed, so it may do better.` : `${said}.`;
};

const Moves = ({ moves }) => {
  if (!moves.length) return null;
  const columns = [
    { key: "from", title: "Went", cell: (row) => html`<span class="wrap">${row.route}, ${row.model ?? "nobody"}</span>` },
    { key: "to", title: "Would go", cell: (row) => html`<span class="wrap">${row.to_route}, ${row.to_model ?? "nobody"}</span>` },
    { key: "requests", title: "Requests", right: true, cell: (row) => (row.requests < 0.5 ? "<1" : whole(row.requests)) },
  ];
  return html`<${Table} caption="Requests that would take another way" columns=${columns} rows=${moves.slice(0, 8)} />`;
};

const Lines = ({ result }) =>
  result.lines.length > 0 &&
  html`
    <h3 class="write">To have it so, write in headgate.toml</h3>
    <${Command} text=${result.lines.join("\n")} />
    <${Notice}><p class="muted">An estimate takes a model's recorded rate for a task as what it would do here. Requests that move may be harder than those it has seen.</p><//>
  `;
