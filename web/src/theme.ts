// Dark or light theme: the system's setting, or the user's choice.

export type Theme = "light" | "dark";

const KEY = "antiphon-theme";
const system = window.matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set<(theme: Theme) => void>();

function chosen(): Theme | null {
  try {
    const value = localStorage.getItem(KEY);
    return value === "light" || value === "dark" ? value : null;
  } catch {
    return null; // storage may be forbidden
  }
}

export const currentTheme = (): Theme => chosen() ?? (system.matches ? "dark" : "light");

function apply(): void {
  const theme = currentTheme();
  document.documentElement.dataset.theme = theme;
  listeners.forEach((listener) => listener(theme));
}

export function toggleTheme(): void {
  const next = currentTheme() === "dark" ? "light" : "dark";
  try {
    if (next === (system.matches ? "dark" : "light")) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, next);
  } catch {
    document.documentElement.dataset.theme = next;
    listeners.forEach((listener) => listener(next));
    return;
  }
  apply();
}

export function onTheme(listener: (theme: Theme) => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

system.addEventListener("change", apply);
apply();

/** The value of a colour of the style sheet, for canvases. */
export const colour = (name: string): string =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/** "#rrggbb" → [r, g, b], 0 to 255. */
export function channels(hex: string): [number, number, number] {
  const number = Number.parseInt(hex.slice(1), 16);
  return [(number >> 16) & 255, (number >> 8) & 255, number & 255];
}

/** Interpolates two colours; part 0 gives the first. */
export function mix(from: string, to: string, part: number): [number, number, number] {
  const [a, b] = [channels(from), channels(to)];
  return [0, 1, 2].map((n) => a[n]! + (b[n]! - a[n]!) * part) as [number, number, number];
}
