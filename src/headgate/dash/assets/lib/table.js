// A table: on a phone it scrolls by itself, not the page. Columns: {key, title, right, cell(row), sort(row), hide: "narrow"}.
import { html, useState } from "../vendor/preact/standalone.module.js";

export const Table = ({ caption, columns, rows, rowKey, onRow, empty = "Nothing here." }) => {
  const [by, setBy] = useState(null);
  const column = by && columns.find((one) => one.key === by.key);
  const shown = column?.sort ? [...rows].sort((a, b) => by.turn * order(column.sort(a), column.sort(b))) : rows;
  const turn = (key) => setBy((old) => (old?.key === key ? { key, turn: -old.turn } : { key, turn: -1 }));
  if (!rows.length) return html`<p class="muted">${empty}</p>`;
  return html`
    <div class="scroll" tabindex="0" role="region" aria-label=${caption}>
      <table>
        <caption class="sr">${caption}</caption>
        <thead>
          <tr>
            ${columns.map(
              (one) => html`
                <th
                  key=${one.key}
                  scope="col"
                  class=${classes(one)}
                  aria-sort=${by?.key === one.key ? (by.turn < 0 ? "descending" : "ascending") : undefined}
                >
                  ${one.sort ? html`<button type="button" onClick=${() => turn(one.key)}>${one.title}</button>` : one.title}
                </th>
              `,
            )}
          </tr>
        </thead>
        <tbody>
          ${shown.map(
            (row, index) => html`
              <tr key=${rowKey ? rowKey(row) : index} class=${onRow ? "row-link" : ""} onClick=${onRow && ((event) => !event.target.closest("a, button") && onRow(row))}>
                ${columns.map((one) => html`<td key=${one.key} class=${classes(one)}>${one.cell(row)}</td>`)}
              </tr>
            `,
          )}
        </tbody>
      </table>
    </div>
  `;
};

const classes = (column) => [column.right && "right", column.hide && `hide-${column.hide}`].filter(Boolean).join(" ");

const order = (a, b) => {
  if (a === b) return 0;
  if (a === null || a === undefined) return -1;
  if (b === null || b === undefined) return 1;
  return a < b ? -1 : 1;
};
