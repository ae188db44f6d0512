// The frame of the page: which view is shown, the keyboard, the theme, and the key where one is needed.
import { html, render, useEffect, useState } from "./vendor/preact/standalone.module.js";
import { api } from "./lib/api.js";
import { Dialog } from "./lib/dialog.js";
import { Login, useKeyNeeded } from "./lib/login.js";
import { go, link, useRoute } from "./lib/route.js";
import { StoryDialog } from "./lib/story.js";
import { Fault, Wait } from "./lib/ui.js";

const ICONS = {
  overview: "M4 13h4v7H4zM10 4h4v16h-4zM16 9h4v11h-4z",
  live: "M3 12h4l3-8 4 16 3-8h4",
  routing: "M4 6h6c4 0 4 12 8 12h2M4 18h6c1.600 0 2.600-2 3.500-4.200M17 3l3 3-3 3M14 6h6M17 15l3 3-3 3",
  audits: "M12 3v18M5 21h14M4 8h16M4 8l-2 6h6zM20 8l-4 6h6z",
  fleet: "M4 5h16v5H4zM4 14h16v5H4zM7 7.500h.01M7 16.500h.01",
  reports: "M6 3h9l4 4v14H6zM9 11h7M9 15h7",
  ask: "M4 5h16v11H9l-5 4z",
};
const FILLED = new Set(["overview"]);

/** The views in the order of the menu; `requests` is reached by links from figures. */
const VIEWS = {
  overview: { name: "Overview", key: "o", load: () => import("./views/overview.js") },
  live: { name: "Live", key: "l", load: () => import("./views/live.js") },
  routing: { name: "Routing", key: "r", load: () => import("./views/routing.js") },
  audits: { name: "Audits", key: "u", load: () => import("./views/audits.js") },
  fleet: { name: "Fleet", key: "f", load: () => import("./views/fleet.js") },
  reports: { name: "Reports", key: "w", load: () => import("./views/reports.js") },
  ask: { name: "Ask", key: "a", load: () => import("./views/ask.js") },
  requests: { name: "Requests", key: "q", hidden: true, load: () => import("./views/requests.js") },
};

const Icon = ({ view }) => html`
  <svg viewBox="0 0 24 24" aria-hidden="true" class=${FILLED.has(view) ? "icon filled" : "icon"}><path d=${ICONS[view]} /></svg>
`;

const Theme = () => {
  const [theme, set] = useState(globalThis.headgateTheme.chosen());
  const next = { auto: "light", light: "dark", dark: "auto" };
  const names = { auto: "System theme", light: "Light theme", dark: "Dark theme" };
  const choose = () => {
    globalThis.headgateTheme.choose(next[theme]);
    set(next[theme]);
  };
  useEffect(() => {
    addEventListener("themewanted", choose);
    return () => removeEventListener("themewanted", choose);
  });
  return html`<button type="button" class="quiet theme" onClick=${choose} title="Change the theme (t)">${names[theme]}</button>`;
};

/** Ends the browser's session, where there is one: a gate without keys has none. */
const Logout = () => {
  const [held, set] = useState(sessionStorage.getItem("headgate.session") === "on");
  useEffect(() => {
    const given = () => {
      sessionStorage.setItem("headgate.session", "on");
      set(true);
    };
    addEventListener("keygiven", given);
    return () => removeEventListener("keygiven", given);
  }, []);
  const leave = async () => {
    await api("/dash/logout", { method: "POST" });
    sessionStorage.removeItem("headgate.session");
    location.reload();
  };
  return held && html`<button type="button" class="quiet" onClick=${leave}>Log out</button>`;
};

const Menu = ({ view, onHelp }) => html`
  <nav class="menu" aria-label="Views">
    <a class="brand" href=${link("overview")}><span class="brand-mark" aria-hidden="true"></span>Headgate</a>
    <ul>
      ${Object.entries(VIEWS)
        .filter(([, one]) => !one.hidden)
        .map(
          ([key, one]) => html`
            <li key=${key}>
              <a href=${link(key)} aria-current=${view === key ? "page" : undefined}><${Icon} view=${key} /><span>${one.name}</span></a>
            </li>
          `,
        )}
    </ul>
    <div class="menu-foot">
      <${Theme} />
      <button type="button" class="quiet keys" onClick=${onHelp}>Keyboard</button>
      <${Logout} />
    </div>
  </nav>
`;

const SHORTCUTS = "headgate.shortcuts";
const keysOn = () => localStorage.getItem(SHORTCUTS) !== "off";

const Help = ({ onClose }) => {
  const [on, set] = useState(keysOn());
  const change = (event) => {
    localStorage.setItem(SHORTCUTS, event.currentTarget.checked ? "on" : "off");
    set(event.currentTarget.checked);
  };
  const rows = [
    ...Object.values(VIEWS).map((one) => [`g ${one.key}`, one.name]),
    ["t", "Change the theme"],
    ["/", "Go to the first filter"],
    ["?", "This list"],
    ["Esc", "Close what is open"],
  ];
  return html`
    <${Dialog} title="Keyboard" onClose=${onClose}>
      <dl class="shortcuts">${rows.map(([keys, said]) => html`<dt>${keys.split(" ").map((one) => html`<kbd>${one}</kbd>`)}</dt><dd>${said}</dd>`)}</dl>
      <label class="check"><input type="checkbox" checked=${on} onChange=${change} /> Single keys do this</label>
    <//>
  `;
};

const useKeyboard = (onHelp) => {
  useEffect(() => {
    let before = "";
    const pressed = (event) => {
      const typing = event.target.closest?.("input:not([type=radio]):not([type=checkbox]), textarea, select, [contenteditable]");
      if (typing || event.ctrlKey || event.metaKey || event.altKey || !keysOn()) return;
      const view = before === "g" && Object.entries(VIEWS).find(([, one]) => one.key === event.key);
      before = event.key;
      if (document.querySelector("dialog[open]")) return;
      if (view) location.hash = link(view[0]);
      else if (event.key === "t") dispatchEvent(new Event("themewanted"));
      else if (event.key === "?") onHelp();
      else if (event.key === "/") {
        const filter = document.querySelector("main input, main select");
        if (!filter) return;
        event.preventDefault();
        filter.focus();
      }
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, []);
};

/** The view's module, loaded when it is first looked at. */
const useView = (name) => {
  const [loaded, set] = useState({ name: null, module: null, error: null });
  useEffect(() => {
    let gone = false;
    const view = VIEWS[name] ?? VIEWS.overview;
    view.load().then(
      (module) => gone || set({ name, module, error: null }),
      (error) => gone || set({ name, module: null, error }),
    );
    return () => {
      gone = true;
    };
  }, [name]);
  return loaded.name === name ? loaded : { name, module: null, error: null };
};

const App = () => {
  const route = useRoute();
  const [help, setHelp] = useState(false);
  const { module, error } = useView(route.view);
  const needed = useKeyNeeded();
  useKeyboard(() => setHelp(true));
  useEffect(() => {
    if (module) document.title = `${module.title} · Headgate`;
  }, [module]);
  return html`
    <a class="skip" href="#main" onClick=${(event) => { event.preventDefault(); document.getElementById("main").focus(); }}>Skip to the content</a>
    <${Menu} view=${route.view} onHelp=${() => setHelp(true)} />
    <main id="main" tabindex="-1" key=${route.view}>
      ${needed && html`<${Login} />`}
      ${!needed && error && html`<${Fault} error=${error} retry=${() => location.reload()} />`}
      ${!needed && !error && (module ? html`<${module.View} params=${route.params} rest=${route.rest} go=${go} />` : html`<${Wait} height=${320} />`)}
    </main>
    ${route.params.request && !needed && html`<${StoryDialog} id=${route.params.request} key=${route.params.request} />`}
    ${help && html`<${Help} onClose=${() => setHelp(false)} />`}
  `;
};

const page = document.getElementById("page");
page.replaceChildren(); // what index.html shows until now
render(html`<${App} />`, page);
