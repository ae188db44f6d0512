// Charts by Apache ECharts, which is loaded when the first one is drawn. Its colours are the page's own (style.css).
import { html, useEffect, useRef } from "../vendor/preact/standalone.module.js";

let loading = null;
const load = () =>
  (loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = new URL("../vendor/echarts/echarts.min.js", import.meta.url).href;
    script.onload = () => resolve(globalThis.echarts);
    script.onerror = () => {
      loading = null;
      reject(new Error("the chart library did not load"));
    };
    document.head.append(script);
  }));

/** The page's colours in the theme that is on: ink, muted, line, surface, good, warn, bad, home[], cloud[]. */
export const colours = () => {
  const style = getComputedStyle(document.documentElement);
  const one = (name) => style.getPropertyValue(`--${name}`).trim();
  return {
    ink: one("ink"),
    muted: one("muted"),
    line: one("line"),
    page: one("page"),
    surface: one("surface"),
    good: one("good"),
    warn: one("warn"),
    bad: one("bad"),
    home: [1, 2, 3, 4].map((n) => one(`home-${n}`)),
    cloud: [1, 2, 3, 4].map((n) => one(`cloud-${n}`)),
    font: one("font"),
  };
};

/** A colour for each model: shades of one hue for those at home, of another for those in the cloud. {name: colour} */
export const modelColours = (models, palette = colours()) => {
  const used = { home: 0, cloud: 0 };
  return Object.fromEntries(
    models.map(({ shown, local }) => {
      if (local === null || local === undefined) return [shown, palette.muted];
      const place = local ? "home" : "cloud";
      return [shown, palette[place][used[place]++ % palette[place].length]];
    }),
  );
};

/** The content of a tooltip: a title, and rows of {colour, name, value}. */
export const tip = (title, rows) => {
  const box = document.createElement("div");
  box.className = "tip";
  const head = document.createElement("strong");
  head.textContent = title;
  box.append(head);
  for (const { colour, name, value } of rows) {
    const row = document.createElement("div");
    const dot = document.createElement("i");
    if (colour) dot.style.background = colour;
    const label = document.createElement("span");
    label.textContent = name;
    const figure = document.createElement("b");
    figure.textContent = value;
    row.append(dot, label, figure);
    box.append(row);
  }
  return box;
};

const basis = (palette) => ({
  animationDuration: matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 250,
  animationDurationUpdate: 0, // other data are another chart, and no change of this one
  textStyle: { fontFamily: palette.font, color: palette.muted, fontSize: 12 },
  tooltip: {
    trigger: "axis",
    confine: true,
    borderWidth: 0,
    padding: 0,
    backgroundColor: "transparent",
    extraCssText: "box-shadow: none",
    axisPointer: { lineStyle: { color: palette.line }, shadowStyle: { color: palette.line, opacity: 0.35 } },
  },
});

/** Axes as all charts have them; merge what is particular. */
export const axis = (palette, more = {}) => ({
  axisLine: { show: false, lineStyle: { color: palette.line } },
  axisTick: { show: false },
  axisLabel: { color: palette.muted, hideOverlap: true },
  splitLine: { lineStyle: { color: palette.line } },
  ...more,
});

/**
 * A chart. `draw(palette)` gives ECharts' option; it is called again when the theme or anything in `on` changes.
 * `label` says in a sentence what it shows; `onPick(params)` is called when a part of it is clicked.
 * What it shows must also stand in words or in a table near it, for those who do not see it.
 */
export const Chart = ({ label, height = 260, draw, on = [], onPick }) => {
  const box = useRef(null);
  const drawing = useRef(null);
  drawing.current = { draw, onPick };
  useEffect(() => {
    let chart = null;
    let gone = false;
    const paint = () => {
      const palette = colours();
      chart?.setOption({ ...basis(palette), ...merged(basis(palette), drawing.current.draw(palette)) }, true);
    };
    const watch = new ResizeObserver(() => chart?.resize());
    load().then((echarts) => {
      if (gone) return;
      chart = echarts.init(box.current, null, { renderer: "canvas" });
      chart.on("click", (params) => drawing.current.onPick?.(params));
      paint();
      watch.observe(box.current);
    });
    addEventListener("themechange", paint);
    box.current.paint = paint;
    return () => {
      gone = true;
      removeEventListener("themechange", paint);
      watch.disconnect();
      chart?.dispose();
    };
  }, []);
  useEffect(() => box.current?.paint?.(), on);
  return html`<div ref=${box} class="chart" role="img" aria-label=${label} style=${{ height: `${height}px` }}></div>`;
};

const merged = (base, option) => (option.tooltip ? { ...option, tooltip: { ...base.tooltip, ...option.tooltip } } : option);
