// A decision before it is carried out: what was measured, the route that matches, and the candidates with skips and estimates.
import { html } from "../vendor/preact/standalone.module.js";
import { fineDollars, number, percent } from "../lib/format.js";
import { Place, Tag } from "../lib/ui.js";

const taskOf = (data) => {
  if (!data.task) return html`no evidence <span class="muted">the best guess is only ${percent(data.task_confidence, 0)} sure</span>`;
  return html`${data.task} <span class="muted">${data.task_by === "rules" ? `${percent(data.task_confidence, 0)} sure` : "by your word"}</span>`;
};

export const Decided = ({ data }) => {
  if (data.worker) return html`<p>The subagent <strong>${data.worker}</strong> takes it, and decides step by step.</p>`;
  const facts = [
    ["Task", taskOf(data)],
    ["Length", html`${number(data.tokens)} tokens <span class="muted">${data.tokens_exact ? "counted" : "about, from its bytes"}</span>`],
    ["Answer as", data.format],
    ["Language", data.language ?? html`<span class="muted">unsure</span>`],
    ...(data.labels.length ? [["Labels", data.labels.join(", ")]] : []),
    ["Privacy", data.local_only ? "stays at home" : "may leave this machine"],
  ];
  const next = data.candidates.findIndex((candidate) => candidate.skip === null);
  return html`
    <div class="decided">
      <dl class="pairs">${facts.map(([term, said]) => html`<dt>${term}</dt><dd>${said}</dd>`)}</dl>
      <div>
        <p class="route-said">Route <strong>${data.route}</strong><span class="muted">: ${data.why}.</span></p>
        <ol class="chosen">
          ${data.candidates.map((candidate, index) => html`<${Candidate} key=${candidate.model} candidate=${candidate} model=${data.models[candidate.model]} first=${index === next} />`)}
        </ol>
        ${next < 0 && html`<p><${Tag} kind="bad">Nobody could answer this<//></p>`}
        <p class="muted small-print">${checksSaid(data)} ${data.baseline_cost_usd !== null && data.baseline_cost_usd !== undefined ? `On ${data.baseline} it would cost about ${fineDollars(data.baseline_cost_usd)}.` : ""}</p>
      </div>
    </div>
  `;
};

const checksSaid = (data) => (data.checks.length ? `An answer has to reach ${data.pass_at.toFixed(2)} in ${data.checks.join(", ")}; else the next is asked.` : "Answers are not checked.");

const Candidate = ({ candidate, model, first }) => html`
  <li class=${candidate.skip ? "skipped" : first ? "first" : ""}>
    <span class="candidate-name"><${Place} local=${model?.local} />${candidate.model}${model?.label && html` <span class="muted">${model.label}</span>`}</span>
    <span class="candidate-said">
      ${candidate.skip ? html`<${Tag} kind="warn">skipped, ${candidate.skip}<//> <span class="muted">${candidate.detail}</span>` : html`<span class="muted">${first ? "is asked first" : "if the one before does not do"}</span>`}
    </span>
    <span class="candidate-cost">${candidate.skip ? "" : candidate.estimate === null ? "price unknown" : candidate.estimate ? `about ${fineDollars(candidate.estimate)}` : "free"}</span>
  </li>
`;
