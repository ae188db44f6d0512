// Requests as they pass: server-sent events, which go on where they were when the connection was lost.
import { html, useEffect, useRef, useState } from "../vendor/preact/standalone.module.js";
import { api } from "../lib/api.js";
import { count, dollars, duration, number } from "../lib/format.js";
import { link } from "../lib/route.js";
import { columns } from "../lib/rows.js";
import { Table } from "../lib/table.js";
import { Empty, Fault, Notice, Page, Wait } from "../lib/ui.js";

export const title = "Live";

const KEPT = 200;
const EXAMPLE = `curl ${location.origin}/v1/chat/completions -H 'content-type: application/json' \\\n  -d '{"model": "auto", "messages": [{"role": "user", "content": "Is this a refund request? Answer yes or no: Where is my money?"}]}'`;

const useLive = () => {
  const [state, set] = useState({ rows: null, connected: false, dropped: 0, error: null, seen: 0 });
  const paused = useRef(false);
  const held = useRef([]);
  useEffect(() => {
    let source = null;
    let gone = false;
    const add = (fresh) =>
      set((old) => {
        const known = new Set((old.rows ?? []).map(({ line }) => line.id));
        const rows = fresh.filter(({ line }) => !known.has(line.id)).map((row) => ({ ...row, fresh: true }));
        return { ...old, rows: [...rows.reverse(), ...(old.rows ?? [])].slice(0, KEPT), seen: old.seen + rows.length };
      });
    const open = async () => {
      source?.close();
      try {
        const page = await api("/admin/requests", { query: { limit: 50 } });
        if (gone) return;
        set((old) => ({ ...old, rows: page.requests, error: null }));
        const after = page.requests[0]?.line.id;
        source = new EventSource(`/admin/live${after ? `?after=${after}` : ""}`);
        source.onopen = () => set((old) => ({ ...old, connected: true }));
        source.onerror = () => set((old) => ({ ...old, connected: false }));
        source.addEventListener("request", (event) => {
          const row = JSON.parse(event.data);
          if (paused.current) held.current.push(row);
          else add([row]);
        });
        source.addEventListener("dropped", (event) => set((old) => ({ ...old, dropped: old.dropped + JSON.parse(event.data).dropped })));
      } catch (error) {
        if (!gone) set((old) => ({ ...old, error }));
      }
    };
    const resume = () => {
      add(held.current);
      held.current = [];
    };
    open();
    addEventListener("keygiven", open);
    addEventListener("liveresumed", resume);
    return () => {
      gone = true;
      source?.close();
      removeEventListener("keygiven", open);
      removeEventListener("liveresumed", resume);
    };
  }, []);
  const pause = (on) => {
    paused.current = on;
    if (!on) dispatchEvent(new Event("liveresumed"));
  };
  return { ...state, pause };
};

export const View = ({ params, go }) => {
  const { rows, connected, dropped, error, seen, pause } = useLive();
  const [still, setStill] = useState(false);
  const turn = () => {
    pause(!still);
    setStill(!still);
  };
  const fresh = (rows ?? []).filter((row) => row.fresh);
  const state = still ? "held" : connected ? "on" : "off";
  const said = { held: "Paused", on: "Watching", off: "Connecting" }[state];
  return html`
    <${Page}
      title=${title}
      note=${html`<span class=${`pulse ${state}`} role="status"><i aria-hidden="true"></i>${said}</span>${seen > 0 && html`<span> · ${count(seen, "request")} since you came</span>`}`}
      aside=${rows?.length > 0 && html`<button type="button" class="plain" aria-pressed=${still} onClick=${turn}>${still ? "Go on" : "Pause"}</button><a class="button" href=${link("requests")}>All requests</a>`}
    >
      ${error && html`<${Fault} error=${error} />`}
      ${dropped > 0 && html`<div class="notices"><${Notice} kind="warn"><p>${count(dropped, "request")} went by faster than this page could show them. <a href=${link("requests")}>The ledger has them all.</a></p><//></div>`}
      ${rows === null && !error && html`<${Wait} height=${400} />`}
      ${rows?.length === 0 &&
      html`<${Empty} title="Waiting for the first request" command=${EXAMPLE}>
        <p>Every request appears here at the moment it ends. Send one from a terminal, and watch where it goes:</p>
      <//>`}
      ${fresh.length > 0 && html`<${Since} rows=${fresh} />`}
      ${rows?.length > 0 &&
      html`<${Table}
        caption="Requests as they pass, newest first"
        columns=${columns((id) => link("live", { ...params, request: id }))}
        rows=${rows}
        rowKey=${({ line }) => line.id}
        onRow=${({ line }) => go({ request: line.id })}
      />`}
    <//>
  `;
};

/** What has passed since the page was opened, in a sentence. */
const Since = ({ rows }) => {
  const home = rows.filter((row) => row.local).length;
  const cost = rows.reduce((sum, { line }) => sum + (line.cost ?? 0), 0);
  const times = rows.map(({ line }) => line.seconds).sort((a, b) => a - b);
  return html`<p class="since">Of the last ${number(rows.length)}, <strong>${number(home)}</strong> were answered at home; they cost <strong>${dollars(cost)}</strong>, and half of them took <strong>${duration(times[Math.ceil(times.length / 2) - 1])}</strong> or less.</p>`;
};
