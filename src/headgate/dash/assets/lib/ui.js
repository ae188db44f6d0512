// The small pieces that views are put together from.
import { html } from "../vendor/preact/standalone.module.js";

/** The frame of a view: its title, what stands beside it, and the rest. */
export const Page = ({ title, aside, note, children }) => html`
  <header class="page-head">
    <div>
      <h1 id="page-title" tabindex="-1">${title}</h1>
      ${note && html`<p class="page-note">${note}</p>`}
    </div>
    ${aside && html`<div class="page-aside">${aside}</div>`}
  </header>
  ${children}
`;

/** A part of a view with a heading of its own. */
export const Section = ({ title, note, aside, wide, children }) => html`
  <section class=${wide ? "section wide" : "section"}>
    <div class="section-head">
      <h2>${title}</h2>
      ${note && html`<p class="section-note">${note}</p>`}
      ${aside && html`<div class="section-aside">${aside}</div>`}
    </div>
    ${children}
  </section>
`;

/** Nothing to show yet: what that means, and what to do; `command` and `example` can be copied. */
export const Empty = ({ title, children, command }) => html`
  <div class="empty">
    <h2>${title}</h2>
    <div class="empty-text">${children}</div>
    ${command && html`<${Command} text=${command} />`}
  </div>
`;

/** A command to copy. */
export const Command = ({ text }) => {
  const copy = async (event) => {
    const button = event.currentTarget;
    await navigator.clipboard?.writeText(text);
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = "Copy"), 1500);
  };
  return html`
    <div class="command">
      <pre tabindex="0">${text}</pre>
      <button type="button" class="quiet" onClick=${copy}>Copy</button>
    </div>
  `;
};

/** Something went wrong: the gate's own sentence and hint. */
export const Fault = ({ error, retry }) => html`
  <div class="notice bad" role="alert">
    <p><strong>${error.message}</strong></p>
    ${error.hint && html`<p>${error.hint}</p>`}
    ${retry && html`<button type="button" class="quiet" onClick=${retry}>Try again</button>`}
  </div>
`;

/** A remark worth a frame; kind is "", "warn" or "bad". */
export const Notice = ({ kind = "", children }) => html`<div class=${`notice ${kind}`}>${children}</div>`;

/** Choices of which one holds: options are [value, text] pairs. */
export const Choice = ({ label, value, options, onChange }) => html`
  <div class="choice" role="radiogroup" aria-label=${label}>
    ${options.map(
      ([key, text]) => html`
        <label key=${key} class=${key === value ? "on" : ""}>
          <input type="radio" name=${label} value=${key} checked=${key === value} onChange=${() => onChange(key)} />
          <span>${text}</span>
        </label>
      `,
    )}
  </div>
`;

/** A status in a word and a colour; kind is "good", "warn", "bad" or "". */
export const Tag = ({ kind = "", children }) => html`<span class=${`tag ${kind}`}>${children}</span>`;

/** Whether a model is at home, as a dot with a word for those who do not see it. */
export const Place = ({ local }) =>
  html`<span class=${`place ${local === null || local === undefined ? "" : local ? "home" : "cloud"}`}>
    <span class="sr">${local === null || local === undefined ? "" : local ? "at home: " : "in the cloud: "}</span>
  </span>`;

/** Data on its way: a grey shape of some height, so that nothing jumps. */
export const Wait = ({ height = 120 }) => html`<div class="wait" style=${{ height: `${height}px` }} role="status"><span class="sr">Loading</span></div>`;
