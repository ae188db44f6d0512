// Replays: settings that are tried, as words of the URL, and what the gate says becomes of the recorded requests.
import { useEffect, useState } from "../vendor/preact/standalone.module.js";
import { GateError } from "./api.js";
import { jsonLines } from "./stream.js";

/** {"quality.pass_at": "0.5", …} of the URL's `set=quality.pass_at=0.5;routes.long.tokens_over=800`. */
export const parseSet = (text) =>
  Object.fromEntries(
    (text ?? "")
      .split(";")
      .filter((word) => word.includes("="))
      .map((word) => [word.slice(0, word.lastIndexOf("=")), word.slice(word.lastIndexOf("=") + 1)]),
  );

export const writeSet = (settings) =>
  Object.entries(settings)
    .map(([name, value]) => `${name}=${value}`)
    .join(";") || null;

const STILL = 250; // milliseconds for which a slider has to stand still

/** What becomes of the recorded requests under these settings: {result, error, running, done, of}. */
export const useReplay = (text, since, until) => {
  const [state, set] = useState({ result: null, error: null, running: false, done: 0, of: 0 });
  useEffect(() => {
    if (!text || since === null) {
      set({ result: null, error: null, running: false, done: 0, of: 0 });
      return undefined;
    }
    const control = new AbortController();
    const run = async () => {
      set((old) => ({ ...old, running: true, error: null, done: 0, of: 0 }));
      const words = Object.entries(parseSet(text)).map(([name, value]) => `${name}=${value}`);
      try {
        for await (const told of jsonLines("/admin/replay", { body: { set: words, since, until }, signal: control.signal })) {
          if (told.error) throw new GateError(400, told.error.message, told.error.hint);
          if (told.result) set({ result: told.result, error: null, running: false, done: 1, of: 1 });
          else set((old) => ({ ...old, done: told.done, of: told.of }));
        }
      } catch (error) {
        if (!control.signal.aborted) set((old) => ({ ...old, result: null, error, running: false }));
      }
    };
    const timer = setTimeout(run, STILL);
    return () => {
      clearTimeout(timer);
      control.abort();
    };
  }, [text, since, until]);
  return state;
};
