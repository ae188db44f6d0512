import { html } from "../vendor/preact/standalone.module.js";
import { Empty, Page } from "../lib/ui.js";

export const title = "Overview";

export const View = () => html`
  <${Page} title=${title}>
    <${Empty} title="Nothing here yet">This view is on its way.<//>
  <//>
`;
