// The form that asks for a key, where the gate wants one: shown as soon as it refuses to say something without.
import { html, useEffect, useRef, useState } from "../vendor/preact/standalone.module.js";
import { api } from "./api.js";
import { Fault } from "./ui.js";

/** What the gate said when it asked for a key; null while it does not. */
export const useKeyNeeded = () => {
  const [needed, set] = useState(null);
  useEffect(() => {
    const ask = (event) => set(event.detail);
    const given = () => set(null);
    addEventListener("keyneeded", ask);
    addEventListener("keygiven", given);
    return () => {
      removeEventListener("keyneeded", ask);
      removeEventListener("keygiven", given);
    };
  }, []);
  return needed;
};

export const Login = () => {
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(false);
  const field = useRef(null);
  useEffect(() => field.current.focus(), []);
  const enter = async (event) => {
    event.preventDefault();
    setBusy(true);
    try {
      await api("/dash/login", { body: { key: field.current.value } });
      dispatchEvent(new Event("keygiven"));
    } catch (refused) {
      setError(refused);
      setBusy(false);
      field.current.select();
    }
  };
  return html`
    <div class="login">
      <form class="card" onSubmit=${enter}>
        <h1 id="page-title">This gate asks for a key</h1>
        <p class="muted">Its figures are for admins. <code>headgate keys create NAME --admin</code> makes a key on the gate's machine.</p>
        <label class="field">Key of an admin
          <input ref=${field} type="password" name="key" autocomplete="current-password" required placeholder="hg-…" aria-invalid=${error ? "true" : undefined} />
        </label>
        ${error && html`<${Fault} error=${error} />`}
        <button type="submit" disabled=${busy}>Open the page</button>
      </form>
    </div>
  `;
};
