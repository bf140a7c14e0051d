// Keys for everything: who can act on one says so while it is on the page.

import { useEffect, useRef } from "preact/hooks";

export interface Key {
  keys: string[];
  does: string;
}

/** What the help shows. */
export const KEYS: { title: string; keys: Key[] }[] = [
  {
    title: "Match",
    keys: [
      { keys: ["Space"], does: "play or pause" },
      { keys: ["←", "→"], does: "back or on by 2 s" },
      { keys: ["Home"], does: "to the beginning of the match" },
      { keys: ["L"], does: "loop the match" },
      { keys: ["1", "2", "3"], does: "hear left, both, right" },
      { keys: ["+", "−", "0"], does: "zoom in, out, fit" },
      { keys: ["S"], does: "waveform or spectrogram" },
      { keys: ["D"], does: "download the aligned MIDI" },
    ],
  },
  {
    title: "Hits",
    keys: [
      { keys: ["J"], does: "next hit" },
      { keys: ["K"], does: "hit before" },
    ],
  },
  {
    title: "Page",
    keys: [
      { keys: ["O"], does: "open a file" },
      { keys: ["R"], does: "record, or stop recording" },
      { keys: ["Q"], does: "search" },
      { keys: ["B"], does: "library" },
      { keys: ["/"], does: "find in the library" },
      { keys: ["T"], does: "dark or light" },
      { keys: ["?"], does: "this help" },
      { keys: ["Esc"], does: "close or stop" },
    ],
  },
];

type Handler = (event: KeyboardEvent) => void;
type Bindings = Record<string, Handler>;

const stack: { current: Bindings }[] = [];

function typesText(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.matches("input:not([type=range]), select, textarea, [contenteditable]");
}

/** Elements that have a use of their own for the key. */
function keeps(target: EventTarget | null, key: string): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (key === "Enter") return true;
  if (key === " ") return target.matches("button, a, summary, [type=checkbox], [role=application]");
  return key.startsWith("Arrow") || key === "Home"
    ? target.matches("input[type=range], [role=application], [role=tab], [role=radio]")
    : false;
}

window.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (event.key !== "Escape" && (typesText(event.target) || keeps(event.target, event.key))) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  for (const { current } of [...stack].reverse()) {
    const handler = current[key];
    if (handler) {
      event.preventDefault();
      handler(event);
      return;
    }
  }
});

/** A button keeps the focus after a click, but who clicks expects the space bar to play and not to press it again. */
export function letGo(event: MouseEvent): void {
  const button = event.target instanceof Element ? event.target.closest<HTMLElement>("button") : null;
  if (event.detail > 0 && button === document.activeElement) button?.blur();
}

/** The last on the page is asked first. */
export function useKeys(bindings: Bindings, active = true): void {
  const holder = useHolder(bindings);
  useEffect(() => {
    if (!active) return undefined;
    stack.push(holder);
    return () => {
      stack.splice(stack.indexOf(holder), 1);
    };
  }, [active]);
}

function useHolder(bindings: Bindings): { current: Bindings } {
  const holder = useRef(bindings);
  holder.current = bindings;
  return holder;
}
