// Shared hooks: theme, screen width, requests, route.

import { useEffect, useState } from "preact/hooks";
import { ApiError } from "./api";
import { currentTheme, onTheme, type Theme } from "./theme";

export function useTheme(): Theme {
  const [theme, setTheme] = useState(currentTheme());
  useEffect(() => onTheme(setTheme), []);
  return theme;
}

const phone = window.matchMedia("(max-width: 700px)");

export function useNarrow(): boolean {
  const [narrow, setNarrow] = useState(phone.matches);
  useEffect(() => {
    const change = (): void => setNarrow(phone.matches);
    phone.addEventListener("change", change);
    return () => phone.removeEventListener("change", change);
  }, []);
  return narrow;
}

export type Loadable<T> = { state: "loading" } | { state: "failed"; message: string } | { state: "ready"; value: T };

/** Sends a request when the inputs change. The previous value stays until the next response. */
export function useRequest<T>(load: (signal: AbortSignal) => Promise<T>, inputs: unknown[]): [Loadable<T>, () => void] {
  const [loadable, setLoadable] = useState<Loadable<T>>({ state: "loading" });
  const [attempt, setAttempt] = useState(0);
  useEffect(() => {
    const abort = new AbortController();
    load(abort.signal).then(
      (value) => !abort.signal.aborted && setLoadable({ state: "ready", value }),
      (error: unknown) => {
        if (abort.signal.aborted) return;
        setLoadable({ state: "failed", message: error instanceof ApiError ? error.message : String(error) });
      },
    );
    return () => abort.abort();
  }, [...inputs, attempt]);
  return [loadable, () => setAttempt(attempt + 1)];
}

/** The part of the address behind #, as steps: "#/library/map" is ["library", "map"]. */
export function useRoute(): string[] {
  const read = (): string[] => location.hash.replace(/^#\/?/, "").split("/").filter(Boolean);
  const [route, setRoute] = useState(read);
  useEffect(() => {
    const change = (): void => setRoute(read());
    window.addEventListener("hashchange", change);
    return () => window.removeEventListener("hashchange", change);
  }, []);
  return route;
}

export function goTo(...steps: string[]): void {
  location.hash = `#/${steps.join("/")}`;
}
