// The dialog that lists the keyboard shortcuts.

import { useEffect, useRef } from "preact/hooks";
import { CloseIcon } from "./icons";
import { KEYS } from "./keys";

export function Help({ version, onClose }: { version: string; onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog
      ref={dialog}
      class="help"
      aria-labelledby="help-title"
      onClose={onClose}
      onClick={(event) => event.target === dialog.current && dialog.current?.close()}
      onKeyDown={(event) => {
        event.stopPropagation();
        if (event.key === "?") dialog.current?.close();
      }}
    >
      <div class="help-box">
        <header>
          <h2 id="help-title">Keys</h2>
          <button type="button" class="icon" onClick={() => dialog.current?.close()} aria-label="Close"><CloseIcon /></button>
        </header>
        <div class="help-columns">
          {KEYS.map(({ title, keys }) => (
            <section key={title}>
              <h3>{title}</h3>
              <dl>
                {keys.map(({ keys, does }) => (
                  <div key={does}><dt>{keys.map((key) => <kbd key={key}>{key}</kbd>)}</dt><dd>{does}</dd></div>
                ))}
              </dl>
            </section>
          ))}
        </div>
        <p class="hint">Antiphon {version} · <a href="licences.txt">licences of third-party code</a></p>
      </div>
    </dialog>
  );
}
