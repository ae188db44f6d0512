// Where the page is: `#/VIEW/rest?name=value`. All state that somebody may want to send on stands there.
import { useEffect, useState } from "../vendor/preact/standalone.module.js";

export const parse = (hash) => {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split("?");
  const [view, ...rest] = path.split("/").filter(Boolean).map(decodeURIComponent);
  return { view: view ?? "overview", rest, params: Object.fromEntries(new URLSearchParams(query)) };
};

/** The address of a view: link("requests", {task: "chat"}) → "#/requests?task=chat". Empty values are left out. */
export const link = (path, params = {}) => {
  const kept = Object.entries(params).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const query = new URLSearchParams(kept).toString();
  return `#/${path}${query ? `?${query}` : ""}`;
};

export const useRoute = () => {
  const [route, set] = useState(parse(location.hash));
  useEffect(() => {
    const moved = () => set(parse(location.hash));
    addEventListener("hashchange", moved);
    return () => removeEventListener("hashchange", moved);
  }, []);
  return route;
};

/** Change parameters of the view that is shown; null removes one. With `replace`, no step for the back button is made. */
export const go = (changes, { replace = false } = {}) => {
  const { view, rest, params } = parse(location.hash);
  const address = link([view, ...rest].map(encodeURIComponent).join("/"), { ...params, ...changes });
  if (!replace) {
    location.hash = address;
    return;
  }
  history.replaceState(null, "", address);
  dispatchEvent(new Event("hashchange"));
};
