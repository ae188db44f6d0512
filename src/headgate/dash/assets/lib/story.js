// One request's whole story: how it ended, a timeline of its attempts, what was measured, decided, judged and paid.
import { html } from "../vendor/preact/standalone.module.js";
import { useJson } from "./api.js";
import { Dialog } from "./dialog.js";
import { count, duration, fineDollars, moment, number } from "./format.js";
import { go } from "./route.js";
import { Fault, Place, Tag, Wait } from "./ui.js";

export const STATUS = {
  ok: ["good", "answered"],
  imperfect: ["warn", "imperfect"],
  failed: ["bad", "failed"],
  broken: ["bad", "broken off"],
  cancelled: ["", "cancelled"],
};

/** A status; in lists, what went well is said quietly. */
export const Status = ({ status, quiet = false }) =>
  html`<${Tag} kind=${quiet && status === "ok" ? "quiet" : STATUS[status]?.[0]}>${STATUS[status]?.[1] ?? status}<//>`;

/** The story beside the page, while the address has `request=ID`. */
export const StoryDialog = ({ id }) => {
  const { data, error, reload } = useJson(`/admin/requests/${encodeURIComponent(id)}`);
  const close = () => go({ request: null });
  return html`
    <${Dialog} title="Request" side onClose=${close}>
      ${error && html`<${Fault} error=${error} retry=${error.status === 404 ? null : reload} />`}
      ${!data && !error && html`<${Wait} height=${260} />`}
      ${data && html`<${Story} told=${data} />`}
    <//>
  `;
};

const Story = ({ told }) => {
  const name = (model) => told.models[model]?.shown ?? model;
  const answered = told.model === null ? "Nobody answered" : `${name(told.model)} answered`;
  return html`
    <p class="mono muted">${told.id}</p>
    <p class="story-lead"><${Status} status=${told.status} /> <strong>${answered}</strong> after ${duration(told.seconds)}${told.attempts.length > 1 ? ` and ${count(told.attempts.length, "attempt")}` : ""}.</p>
    <dl class="facts">
      <div><dt>Cost</dt><dd>${fineDollars(told.cost)}</dd></div>
      <div><dt>On ${told.baseline}</dt><dd>${fineDollars(told.baseline_cost)}</dd></div>
      <div><dt>Saved</dt><dd>${fineDollars(told.saved)}</dd></div>
      <div><dt>First token</dt><dd>${duration(told.first_token)}</dd></div>
    </dl>
    ${told.error && html`<div class="notice bad"><p>${told.error}</p></div>`}
    <h3>Timeline</h3>
    <${Timeline} told=${told} name=${name} />
    <h3>Why this way</h3>
    <p>Route <strong>${told.decision.route}</strong>: ${told.decision.why}.</p>
    ${told.fallback && html`<p>A paid model answered because of: ${told.fallback}${told.fallback_limit ? ` > ${told.fallback_limit}` : ""}.</p>`}
    <ol class="candidates">
      ${told.decision.candidates.map(
        (one) => html`<li>
          <${Place} local=${told.models[one.model]?.local} /><span>${name(one.model)}</span>
          <span class="muted">${fate(one, told)}${one.detail ? `: ${one.detail}` : ""}</span>
        </li>`,
      )}
    </ol>
    <h3>What was asked</h3>
    <dl class="pairs">${asked(told).map(([term, said]) => html`<dt>${term}</dt><dd>${said}</dd>`)}</dl>
    ${told.adjusted?.length > 0 && html`<h3>Said otherwise for the model</h3><ul class="plain">${told.adjusted.map((said) => html`<li>${said}</li>`)}</ul>`}
    ${told.opinions.length > 0 && html`<h3>Said of its answer</h3><ul class="plain">${told.opinions.map((one) => html`<li><strong>${one.verdict}</strong>, by ${one.judge}${one.by ? ` ${one.by}` : ""}${one.reason ? `: ${one.reason}` : ""}</li>`)}</ul>`}
    ${told.prompt !== undefined && html`<h3>Prompt</h3><pre class="body" tabindex="0">${told.prompt}</pre>`}
    ${told.answer !== undefined && html`<h3>Answer</h3><pre class="body" tabindex="0">${told.answer}</pre>`}
    <p class="muted beneath">In a terminal: <code>headgate log show ${told.id}</code></p>
  `;
};

const fate = (candidate, told) => {
  if (candidate.skip) return `skipped, ${candidate.skip}`;
  return told.attempts.some((attempt) => attempt.model === candidate.model) ? "tried" : "not needed";
};

const asked = ({ signals, received, asked: word, stream, decision, key, team, agent }) =>
  [
    ["Received", moment(received)],
    ["Asked for", `${word}${stream ? ", as a stream" : ""}`],
    ["Task", signals.task ? `${signals.task} (${signals.task_by === "caller" ? "named by the caller" : `by rules, ${signals.task_confidence.toFixed(2)}`})` : "no evidence"],
    ["Tokens", `${number(signals.tokens)} ${signals.tokens_exact ? "counted" : "estimated"}`],
    ["Format", signals.format ?? "text"],
    ["Language", signals.language],
    ["Tools", signals.tools ? number(signals.tools) : ""],
    ["Images", signals.images ? number(signals.images) : ""],
    ["Privacy", signals.local_only ? "local models only" : ""],
    ["Checks", `${decision.checks.join(", ") || "none"}; pass at ${decision.pass_at}`],
    ["Key", key],
    ["Team", team],
    ["Subagent", agent],
  ].filter(([, said]) => said);

// ── The timeline ─────────────────────────────────────────────────────────────────────────────────────────────────────

const Timeline = ({ told, name }) => {
  if (!told.attempts.length) return html`<p class="muted">No model was asked.</p>`;
  const whole = Math.max(told.seconds, ...told.attempts.map((attempt) => attempt.ended), 1e-6);
  const at = (seconds) => `${Math.min(100, (100 * seconds) / whole)}%`;
  return html`
    <ol class="timeline">
      ${told.attempts.map((attempt, i) => {
        const local = told.models[attempt.model]?.local;
        const begun = attempt.started + (attempt.queued ?? 0);
        const first = attempt.first_token ?? attempt.ended;
        const [kind, verdict] = ending(attempt, told);
        return html`
          <li key=${i}>
            <div class="attempt-head"><span><${Place} local=${local} /><strong>${name(attempt.model)}</strong></span><${Tag} kind=${kind}>${verdict}<//></div>
            <div class=${`track ${local ? "home" : "cloud"}`} aria-hidden="true">
              ${attempt.queued > 0 && html`<i class="queue" style=${{ left: at(attempt.started), width: at(attempt.queued) }}></i>`}
              <i class="waiting" style=${{ left: at(begun), width: at(Math.max(first - begun, 0)) }}></i>
              <i class="writing" style=${{ left: at(first), width: at(Math.max(attempt.ended - first, 0)) }}></i>
            </div>
            <p class="attempt-said">${said(attempt)}</p>
            ${attempt.failure && html`<p class="attempt-said bad">${attempt.failure.reason}${attempt.failure.status ? ` (HTTP ${attempt.failure.status})` : ""}: ${attempt.failure.detail}</p>`}
            ${attempt.verdicts?.length > 0 && html`<ul class="verdicts">${attempt.verdicts.map((one) => html`<li class=${one.score !== null && one.score < told.decision.pass_at ? "bad" : ""}><span>${one.check}</span><b>${one.score === null ? "no evidence" : one.score.toFixed(2)}</b>${one.reason && html`<span class="muted">${one.reason}</span>`}</li>`)}</ul>`}
          </li>
        `;
      })}
    </ol>
    <p class="timeline-key muted" aria-hidden="true"><i class="queue"></i>queued <i class="waiting"></i>until the first token <i class="writing"></i>writing</p>
  `;
};

const ending = (attempt, told) => {
  if (attempt.failure) return ["bad", "failed"];
  if (attempt.score === null || attempt.score === undefined) return ["", attempt.finish ? "answered, nothing to judge by" : "ended without an answer"];
  const late = attempt.late ? ", judged after it was sent" : "";
  return attempt.score >= told.decision.pass_at ? ["good", `passed with ${attempt.score.toFixed(2)}${late}`] : ["bad", `rejected with ${attempt.score.toFixed(2)}${late}`];
};

const said = (attempt) => {
  const parts = [`${duration(attempt.started)} to ${duration(attempt.ended)}`];
  if (attempt.queued >= 0.001) parts.push(`${duration(attempt.queued)} queued`);
  if (attempt.first_token !== null && attempt.first_token !== undefined) parts.push(`first token at ${duration(attempt.first_token)}`);
  const usage = attempt.usage;
  if (usage) {
    const prompt = (usage.input ?? 0) + (usage.cache_read ?? 0) + (usage.cache_write_5m ?? 0) + (usage.cache_write_1h ?? 0);
    parts.push(`${number(prompt)} tokens in${usage.cache_read ? ` (${number(usage.cache_read)} cached)` : ""}, ${number(usage.output ?? 0)} out${usage.exact === false ? ", estimated" : ""}`);
  }
  parts.push(fineDollars(attempt.cost));
  return parts.join("; ");
};
