// Keyboard shortcuts: each component registers its keys while it is on the page.

import { useEffect, useRef } from "preact/hooks";

export interface Key {
  keys: string[];
  does: string;
}

/** The shortcuts that the help lists. */
export const KEYS: { title: string; keys: Key[] }[] = [
  {
    title: "Selected match",
    keys: [
      { keys: ["Space"], does: "play or pause" },
      { keys: ["←", "→"], does: "back or forward by 2 s" },
      { keys: ["Home"], does: "to the beginning of the match" },
      { keys: ["L"], does: "loop the match" },
      { keys: ["1", "2", "3"], does: "play left, both, right" },
      { keys: ["+", "−", "0"], does: "zoom in, out, fit" },
      { keys: ["S"], does: "waveform or spectrogram" },
      { keys: ["D"], does: "download the aligned MIDI" },
    ],
  },
  {
    title: "Matches",
    keys: [
      { keys: ["J"], does: "next match" },
      { keys: ["K"], does: "previous match" },
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

/** Elements that handle the key themselves. */
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

/** Releases the focus of a clicked button, so that the space bar plays and does not press the button again. */
export function releaseFocus(event: MouseEvent): void {
  const button = event.target instanceof Element ? event.target.closest<HTMLElement>("button") : null;
  if (event.detail > 0 && button === document.activeElement) button?.blur();
}

/** Registers keys while `active`. The component that registered last takes precedence. */
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
