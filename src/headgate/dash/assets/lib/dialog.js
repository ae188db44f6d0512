// A dialog over the page: the browser's own, which keeps the focus inside and gives it back.
import { html, useEffect, useRef } from "../vendor/preact/standalone.module.js";

export const Dialog = ({ title, side = false, onClose, children }) => {
  const box = useRef(null);
  useEffect(() => {
    const from = document.activeElement;
    box.current.showModal();
    return () => from?.isConnected && from.focus?.();
  }, []);
  return html`
    <dialog
      ref=${box}
      class=${side ? "side" : ""}
      aria-labelledby="dialog-title"
      onCancel=${(event) => {
        event.preventDefault();
        onClose();
      }}
      onClick=${(event) => event.target === box.current && onClose()}
    >
      <div class="dialog-head">
        <h2 id="dialog-title" tabindex="-1" autofocus>${title}</h2>
        <button type="button" class="close" aria-label="Close" onClick=${onClose}>×</button>
      </div>
      <div class="dialog-body">${children}</div>
    </dialog>
  `;
};
