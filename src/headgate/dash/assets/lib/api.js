// What the gate says. Errors carry its message and its hint, and `status`; 401 asks for a key (see app.js).
import { useCallback, useEffect, useRef, useState } from "../vendor/preact/standalone.module.js";

export class GateError extends Error {
  constructor(status, message, hint = "") {
    super(message);
    this.status = status;
    this.hint = hint;
  }
}

const faultOf = async (answer) => {
  let told = {};
  try {
    const body = await answer.json();
    told = body.error ?? body;
  } catch {
    // no JSON: something between us and the gate has answered
  }
  const hint = told.hint ?? "";
  const message = (told.message ?? `the gate answered ${answer.status}`).replace(` (hint: ${hint})`, "");
  const error = new GateError(answer.status, message, hint);
  if (answer.status === 401) dispatchEvent(new CustomEvent("keyneeded", { detail: error }));
  return error;
};

/** Ask for JSON: api("/admin/overview", {query: {since, until}}), api(path, {body: {…}}) for a POST. Throws GateError. */
export const api = async (path, { query = {}, body, method, headers = {}, signal } = {}) => {
  const kept = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const search = new URLSearchParams(kept).toString();
  const address = search ? `${path}?${search}` : path;
  const wish = { method: method ?? (body === undefined ? "GET" : "POST"), headers: { accept: "application/json", ...headers }, signal };
  if (body !== undefined) {
    wish.headers["content-type"] = "application/json";
    wish.body = JSON.stringify(body);
  }
  let answer;
  try {
    answer = await fetch(address, wish);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new GateError(0, "the gate does not answer", "headgate up opens it");
  }
  if (!answer.ok) throw await faultOf(answer);
  return answer.status === 204 ? null : answer.json();
};

/**
 * What a path says, as state: {data, error, loading, reload}. Old data stay while new ones come.
 * `every` asks again after so many seconds, while somebody looks at the page. A path of null asks for nothing.
 */
export const useJson = (path, query = {}, { every = 0 } = {}) => {
  const [state, set] = useState({ data: null, error: null, loading: path !== null });
  const asked = JSON.stringify([path, query]);
  const running = useRef(null);
  const load = useCallback(async () => {
    running.current?.abort();
    if (path === null) return;
    const control = new AbortController();
    running.current = control;
    set((old) => ({ ...old, loading: true }));
    try {
      const data = await api(path, { query, signal: control.signal });
      set({ data, error: null, loading: false });
    } catch (error) {
      if (!control.signal.aborted) set((old) => ({ ...old, error, loading: false }));
    }
  }, [asked]);
  useEffect(() => {
    load();
    const again = () => document.visibilityState === "visible" && load();
    const timer = every ? setInterval(again, every * 1000) : 0;
    addEventListener("keygiven", load);
    return () => {
      clearInterval(timer);
      removeEventListener("keygiven", load);
      running.current?.abort();
    };
  }, [load, every]);
  return { ...state, reload: load };
};
