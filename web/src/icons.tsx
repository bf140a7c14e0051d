// Icons: line drawings on a 24 × 24 grid in the colour of the text.

import type { ComponentChildren } from "preact";

function Icon({ children, filled = false }: { children: ComponentChildren; filled?: boolean }) {
  return (
    <svg
      viewBox="0 0 24 24"
      width="20"
      height="20"
      aria-hidden="true"
      focusable="false"
      fill={filled ? "currentColor" : "none"}
      stroke={filled ? "none" : "currentColor"}
      stroke-width="1.8"
      stroke-linecap="round"
      stroke-linejoin="round"
    >
      {children}
    </svg>
  );
}

export const PlayIcon = () => <Icon filled><path d="M7 4.5v15l12.5-7.5z" /></Icon>;
export const PauseIcon = () => <Icon filled><path d="M6 5h4v14H6zM14 5h4v14h-4z" /></Icon>;
export const StopIcon = () => <Icon filled><path d="M6 6h12v12H6z" /></Icon>;
export const LoopIcon = () => <Icon><path d="M17 2l4 4-4 4M3 11V9a3 3 0 0 1 3-3h15M7 22l-4-4 4-4M21 13v2a3 3 0 0 1-3 3H3" /></Icon>;
export const PlusIcon = () => <Icon><path d="M12 5v14M5 12h14" /></Icon>;
export const MinusIcon = () => <Icon><path d="M5 12h14" /></Icon>;
export const FitIcon = () => <Icon><path d="M3 12h18M7 8l-4 4 4 4M17 8l4 4-4 4" /></Icon>;
export const FileIcon = () => <Icon><path d="M12 16V4M7 9l5-5 5 5M4 16v3a1 1 0 0 0 1 1h14a1 1 0 0 0 1-1v-3" /></Icon>;
export const MicIcon = () => <Icon><path d="M12 3a3 3 0 0 0-3 3v5a3 3 0 0 0 6 0V6a3 3 0 0 0-3-3zM5.5 11a6.5 6.5 0 0 0 13 0M12 17.5V21" /></Icon>;
export const LibraryIcon = () => <Icon><path d="M5 4v16M9.5 4v16M14 4.5l5 15" /></Icon>;
export const DownIcon = () => <Icon><path d="M12 4v11M7 11l5 5 5-5M5 20h14" /></Icon>;
export const SunIcon = () => <Icon><circle cx="12" cy="12" r="4" /><path d="M12 3v1.5M12 19.5V21M3 12h1.5M19.5 12H21M5.6 5.6l1.1 1.1M17.3 17.3l1.1 1.1M5.6 18.4l1.1-1.1M17.3 6.7l1.1-1.1" /></Icon>;
export const MoonIcon = () => <Icon><path d="M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5z" /></Icon>;
export const SearchIcon = () => <Icon><circle cx="11" cy="11" r="6.5" /><path d="M16 16l4.5 4.5" /></Icon>;
export const WaveIcon = () => <Icon><path d="M4 12v0M8 8v8M12 4v16M16 8v8M20 12v0" /></Icon>;
export const NotesIcon = () => <Icon><path d="M4 7h8M10 12h10M6 17h7" stroke-width="3" /></Icon>;
export const CloseIcon = () => <Icon><path d="M6 6l12 12M18 6L6 18" /></Icon>;
export const WarnIcon = () => <Icon><path d="M12 4L2.8 19.5h18.4zM12 10v4.5M12 17.2v.1" /></Icon>;

/** The logo: a call as audio, a response as notes. */
export const Mark = () => (
  <svg viewBox="0 0 34 26" width="34" height="26" aria-hidden="true" focusable="false" class="mark">
    <path class="call" d="M3 16v-6M7.5 21V5M12 16v-6" />
    <path class="response" d="M19 7h11M19 13h6M23 19h8" />
  </svg>
);

export const KindIcon = ({ kind }: { kind: "audio" | "notes" }) => (kind === "audio" ? <WaveIcon /> : <NotesIcon />);
