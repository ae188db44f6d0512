// The engines as they are now: who is up, who is served and who waits, what is in memory, and what was loaded lately.
import { html, useRef } from "../vendor/preact/standalone.module.js";
import { useJson } from "../lib/api.js";
import { clock, count, duration, number, percent } from "../lib/format.js";
import { Table } from "../lib/table.js";
import { Command, Empty, Fault, Notice, Page, Place, Section, Tag, Wait } from "../lib/ui.js";

export const title = "Fleet";

const EVERY = 2; // seconds
const GIB = 2 ** 30;

/** "4.6 GiB", under one GiB "270 MiB": as the command line says it. */
const memory = (size) => (size === null || size === undefined ? "unknown" : size >= GIB ? `${(size / GIB).toFixed(1)} GiB` : `${number(size / 2 ** 20)} MiB`);

const STATE = {
  ready: ["good", "in memory"],
  loading: ["warn", "being loaded"],
  draining: ["warn", "ends its requests, then goes"],
  leaving: ["warn", "being unloaded"],
  out: ["", "not loaded"],
  unmanaged: ["", "its engine decides"],
};

const KINDS = { llamacpp: "llama.cpp", ollama: "Ollama", lmstudio: "LM Studio", openai: "OpenAI", anthropic: "Anthropic", openai_compatible: "OpenAI-compatible" };

export const View = () => {
  const { data, error, reload } = useJson("/admin/fleet", {}, { every: EVERY });
  const seen = useRef(0);
  if (data) seen.current = data.now;
  return html`
    <${Page} title=${title} note=${data ? html`<${Summary} data=${data} />` : ""} aside=${data && html`<span class="pulse"><i class=${error ? "off" : ""} aria-hidden="true"></i>${error ? `last seen at ${clock(seen.current)}` : `as of ${clock(data.now)}`}</span>`}>
      ${error && html`<${Fault} error=${error} retry=${reload} />`}
      ${!data && !error && html`<${Wait} height=${360} />`}
      ${data && (Object.keys(data.engines).length ? html`<${Told} data=${data} />` : html`<${Nothing} />`)}
    <//>
  `;
};

const Nothing = () => html`
  <${Empty} title="The config names no engine" command="headgate init">
    <p>This looks at the machine, finds Ollama, LM Studio or what else is there, and writes them into headgate.toml.</p>
  <//>
`;

const Summary = ({ data }) => {
  const engines = Object.values(data.engines);
  const up = engines.filter((engine) => engine.up).length;
  const running = engines.reduce((sum, engine) => sum + engine.running, 0);
  const waiting = engines.reduce((sum, engine) => sum + engine.waiting, 0);
  return `${up} of ${count(engines.length, "engine")} up, ${running ? `${number(running)} being answered` : "nobody is being answered"}${waiting ? `, ${number(waiting)} waiting` : ""}`;
};

const Told = ({ data }) => {
  const home = Object.entries(data.engines).filter(([, engine]) => engine.local);
  const cloud = Object.entries(data.engines).filter(([, engine]) => !engine.local);
  const lanesOf = (name) => data.lanes.filter((lane) => lane.engine === name);
  return html`
    <${Memory} data=${data} />
    ${home.length > 0 && html`<${Section} title="At home">${home.map(([name, engine]) => html`<${Engine} key=${name} name=${name} engine=${engine} lanes=${lanesOf(name)} />`)}<//>`}
    ${cloud.length > 0 && html`<${Section} title="In the cloud" note="Not looked at in the background, because that could cost money.">${cloud.map(([name, engine]) => html`<${Engine} key=${name} name=${name} engine=${engine} lanes=${lanesOf(name)} />`)}<//>`}
    <${Moved} data=${data} />
  `;
};

// ── Memory ───────────────────────────────────────────────────────────────────────────────────────────────────────────

const Memory = ({ data }) => {
  const pools = Object.entries(data.memory);
  if (!pools.length) return null;
  return html`<div class="pools">${pools.map(([name, pool]) => html`<${Pool} key=${name} name=${name} pool=${pool} lanes=${data.lanes.filter((lane) => lane.pool === name && lane.memory && ["ready", "draining", "loading", "leaving"].includes(lane.state))} others=${Object.entries(data.engines).filter(([, engine]) => engine.foreign_memory > 0)} />`)}</div>`;
};

const SHADES = ["home-1", "home-2", "home-3", "home-4"];

const Pool = ({ name, pool, lanes, others }) => {
  const foreign = others.reduce((sum, [, engine]) => sum + engine.foreign_memory, 0);
  const parts = [
    ...lanes.map((lane, index) => ({ name: lane.model, size: lane.memory, shade: SHADES[index % SHADES.length], note: lane.state === "loading" ? "loading" : "" })),
    ...(foreign ? [{ name: "models of others", size: foreign, shade: "strong-line", note: "" }] : []),
  ];
  const free = Math.max(0, pool.free);
  return html`
    <section class="pool" aria-label=${`Memory: ${name}`}>
      <div class="pool-head"><h2>${name === "GPU" ? "Graphics memory" : "Memory for models"}</h2><span class="muted">${pool.of && name === "GPU" ? pool.of : ""}</span><b>${memory(pool.capacity - free)}</b><span class="muted">of ${memory(pool.capacity)}</span></div>
      <div class="pool-bar" aria-hidden="true">${parts.map((part) => html`<i style=${{ width: `${(100 * part.size) / pool.capacity}%`, background: `var(--${part.shade})` }} title=${part.name}></i>`)}</div>
      <ul class="legend">
        ${parts.map((part) => html`<li><i style=${{ background: `var(--${part.shade})` }}></i>${part.name} <b>${memory(part.size)}</b>${part.note && html` <span class="muted">${part.note}</span>`}</li>`)}
        <li><i class="free"></i>free <b>${memory(free)}</b></li>
      </ul>
    </section>
  `;
};

// ── Engines ──────────────────────────────────────────────────────────────────────────────────────────────────────────

const Slots = ({ running, slots }) =>
  slots <= 16
    ? html`<span class="slots" role="img" aria-label=${`${running} of ${count(slots, "slot")} in use`}>${Array.from({ length: slots }, (_, index) => html`<i class=${index < running ? "busy" : ""}></i>`)}</span>`
    : html`<span>${number(running)} <span class="muted">of ${number(slots)}</span></span>`;

const Engine = ({ name, engine, lanes }) => html`
  <article class="engine" aria-label=${name}>
    <header class="engine-head">
      <h3><${Place} local=${engine.local} />${name}</h3>
      <span class="muted">${[KINDS[engine.kind] ?? engine.kind, engine.version].filter(Boolean).join(" ")}</span>
      <${Tag} kind=${engine.up ? "good" : "bad"}>${engine.up ? (engine.looked_at ? "up" : "ready to be asked") : "down"}<//>
      <span class="engine-slots"><${Slots} running=${engine.running} slots=${engine.slots} />${engine.waiting > 0 && html`<${Tag} kind="warn">${count(engine.waiting, "request")} waiting<//>`}</span>
    </header>
    ${!engine.up && html`<${Notice} kind="bad"><p><strong>${engine.detail || `${name} does not answer`}</strong></p>${engine.local && html`<p>It is looked at every few seconds. <code>headgate doctor</code> says what repairs it.</p>`}<//>`}
    <${Lanes} lanes=${lanes} engine=${engine} />
  </article>
`;

const Lanes = ({ lanes, engine }) => {
  const local = engine.local;
  const columns = [
    { key: "model", title: "Model", cell: (lane) => html`<span class="lane-name"><strong>${lane.model}</strong>${lane.label && html` <span class="muted">${lane.label}</span>`}<br /><span class="muted">${lane.id}${lane.context ? `, ${number(lane.context)} tokens` : ""}</span></span>` },
    { key: "state", title: "State", cell: (lane) => html`<${State} lane=${lane} managed=${engine.managed} />` },
    { key: "slots", title: "Slots", cell: (lane) => html`<${Slots} running=${lane.running} slots=${lane.slots} />` },
    { key: "waiting", title: "Queue", right: true, cell: (lane) => (lane.waiting ? html`<b>${number(lane.waiting)}</b>${lane.expected_wait > 0 && html` <span class="muted">about ${duration(lane.expected_wait)}</span>`}` : html`<span class="muted">nobody</span>`) },
    ...(local ? [{ key: "memory", title: "Memory", right: true, cell: (lane) => (lane.memory ? memory(lane.memory) : html`<span class="muted">unknown</span>`) }] : []),
    { key: "pace", title: "An answer takes", right: true, cell: (lane) => (lane.service_seconds ? duration(lane.service_seconds) : html`<span class="muted">not seen yet</span>`) },
    ...(local ? [{ key: "speed", title: "Measured speed", right: true, cell: (lane) => html`<${Speed} card=${lane.card} />` }] : []),
  ];
  return html`<${Table} caption="Models of this engine" columns=${columns} rows=${lanes} rowKey=${(lane) => lane.model} empty="The config names no model on this engine." />`;
};

const State = ({ lane, managed }) => {
  if (lane.left_alone) return html`<${Tag} kind="bad">left alone for ${duration(lane.left_alone_seconds)}<//><br /><span class="muted">${count(lane.failures, "failure")} in a row</span>`;
  if (!lane.local) return html`<span class="muted">${lane.failures ? `${count(lane.failures, "failure")} in a row` : "no failures"}</span>`;
  const [kind, said] = managed ? STATE[lane.state] : STATE.unmanaged;
  return html`<${Tag} kind=${kind}>${said}<//>${lane.why_not && html`<br /><span class="wrap muted">${lane.why_not}</span>`}`;
};

const Speed = ({ card }) => {
  if (!card) return html`<span class="muted">not measured</span>`;
  if (card.texts_speed) return html`${number(card.texts_speed)} <span class="muted">texts/s</span>`;
  if (!card.speed) return html`<span class="muted">not measured</span>`;
  return html`<span title=${`${card.machine}, ${new Date(card.measured * 1000).toLocaleDateString("en-GB")}`}>${number(card.speed)} <span class="muted">tokens/s${card.prompt_speed ? `, reads ${number(card.prompt_speed)}` : ""}</span></span>`;
};

// ── What happened lately ─────────────────────────────────────────────────────────────────────────────────────────────

const WHAT = { loaded: ["good", "loaded"], unloaded: ["", "unloaded"], failed: ["bad", "could not be loaded"] };

const Moved = ({ data }) => {
  const managed = Object.values(data.engines).some((engine) => engine.managed);
  const unmeasured = data.lanes.some((lane) => lane.local && !lane.card);
  const columns = [
    { key: "at", title: "Time", cell: (row) => clock(row.at) },
    { key: "model", title: "Model", cell: (row) => row.model },
    { key: "what", title: "", cell: (row) => html`<${Tag} kind=${WHAT[row.what][0]}>${WHAT[row.what][1]}<//>${row.why && html` <span class="wrap muted">${row.why}</span>`}` },
    { key: "seconds", title: "Took", right: true, cell: (row) => duration(row.seconds) },
  ];
  return html`
    ${managed && html`<${Section} title="Loaded and unloaded lately"><${Table} caption="Loads and unloads since the gate was opened" columns=${columns} rows=${data.moved} empty="Nothing since the gate was opened: what is in memory was there from the start, or nobody has asked for more." /><//>`}
    ${unmeasured && html`<${Section} title="How fast is it?" note="Some models at home were never measured here."><${Command} text="headgate models bench" /><//>`}
  `;
};
