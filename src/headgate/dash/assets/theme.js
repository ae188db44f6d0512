// Decides the theme before anything is drawn, and keeps it: the person's choice, or the system's.
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const chosen = () => {
    try {
      return localStorage.getItem("headgate.theme");
    } catch {
      return null; // a browser that keeps nothing
    }
  };
  const apply = () => {
    document.documentElement.dataset.theme = chosen() ?? (dark.matches ? "dark" : "light");
    dispatchEvent(new Event("themechange"));
  };
  globalThis.headgateTheme = {
    chosen: () => chosen() ?? "auto",
    choose(theme) {
      try {
        if (theme === "auto") localStorage.removeItem("headgate.theme");
        else localStorage.setItem("headgate.theme", theme);
      } catch {
        document.documentElement.dataset.theme = theme === "auto" ? "light" : theme;
      }
      apply();
    },
  };
  dark.addEventListener("change", apply);
  apply();
})();
