// The state of the page's search. The query is kept, so that it can be repeated with other options.

import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError, getJson, type Health, type Search } from "./api";
import { startSearch, follow, type Options, type Query, type Step } from "./search-client";
import { goTo } from "./state";
import { bytes } from "./format";

export type State = Step | { at: "idle" };

export interface Searching {
  state: State;
  search: Search | null;
  selected: number;
  /** The user has selected this match; it is not just the first one. */
  chosen: boolean;
  name: string;
  canRepeat: boolean;
  options: Options;
  setOptions: (options: Options) => void;
  select: (n: number) => void;
  begin: (query: Query) => void;
  repeat: () => void;
  clear: () => void;
}

const nameOf = (query: Query): string => ("file" in query ? query.file.name : query.recording.file);

export function useSearch(health: Health | null): Searching {
  const [state, setState] = useState<State>({ at: "idle" });
  const [selected, setSelected] = useState(0);
  const [chosen, setChosen] = useState(false);
  const [options, setOptions] = useState<Options>({});
  const [query, setQuery] = useState<Query | null>(null);
  const abort = useRef(new AbortController());

  /** The selected match stays selected when an updated list contains it at another position. */
  const last = useRef<Search | null>(null);
  const onStep = (step: Step): void => {
    const search = "search" in step ? step.search : null;
    if (search) {
      const before = last.current?.id === search.id ? last.current : null;
      last.current = search;
      setSelected((n) => {
        const kept = before?.hits[n];
        if (!kept || n === 0) return 0;
        const now = search.hits.findIndex(
          (hit) => hit.recording.id === kept.recording.id && Math.abs(hit.start_s - kept.start_s) < 2,
        );
        return Math.max(0, now);
      });
    }
    setState(step);
  };

  const broken = (error: unknown): void => {
    if (error instanceof DOMException && error.name === "AbortError") return;
    const apiError = error instanceof ApiError ? error : new ApiError(String(error), "page", 0);
    setState({ at: "broken", error: apiError, search: null });
  };

  const start = (): AbortSignal => {
    abort.current.abort();
    abort.current = new AbortController();
    last.current = null;
    setSelected(0);
    setChosen(false);
    return abort.current.signal;
  };

  const run = async (newQuery: Query, how: Options): Promise<void> => {
    const signal = start();
    const limit = health?.limits.upload_bytes ?? Infinity;
    if ("file" in newQuery && newQuery.file.size > limit) {
      const message = `${newQuery.file.name} has ${bytes(newQuery.file.size)}; the server accepts at most ${bytes(limit)}. Send the relevant passage only.`;
      return broken(new ApiError(message, "too_large", 413));
    }
    setState({ at: "uploading", part: 0 });
    try {
      const search = await startSearch(newQuery, how, (part) => !signal.aborted && setState({ at: "uploading", part }));
      if (signal.aborted) return;
      goTo("search", search.id);
      await follow(search, onStep, signal);
    } catch (error) {
      if (!signal.aborted) broken(error);
    }
  };

  // A reloaded page shows its search again while the server stores it.
  useEffect(() => {
    const id = /^#\/search\/([\w-]+)/.exec(location.hash)?.[1];
    if (!id) return;
    const signal = start();
    getJson<Search>(`/api/searches/${id}`, signal)
      .then((search) => follow(search, onStep, signal))
      .catch((error: unknown) => {
        if (signal.aborted) return;
        if (error instanceof ApiError && error.status === 404) goTo();
        else broken(error);
      });
  }, []);

  const search = "search" in state ? state.search : null;
  return {
    state,
    search,
    selected: Math.min(selected, Math.max(0, (search?.hits.length ?? 1) - 1)),
    chosen,
    name: query ? nameOf(query) : (search?.query?.name ?? ""),
    canRepeat: query !== null,
    options,
    setOptions,
    select: (n) => {
      setSelected(n);
      setChosen(true);
    },
    begin: (newQuery) => {
      // A passage belongs to one query only.
      const { start_s: _start, length_s: _length, ...general } = options;
      setOptions(general);
      setQuery(newQuery);
      goTo();
      void run(newQuery, general);
    },
    repeat: () => {
      if (query) void run(query, options);
    },
    clear: () => {
      start();
      setQuery(null);
      setState({ at: "idle" });
      goTo();
    },
  };
}
