// The page's search: one at a time, with its question kept so that it can be asked again with other options.

import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError, getJson, type Health, type Search } from "./api";
import { ask, follow, type Options, type Question, type Step } from "./searching";
import { goTo } from "./state";
import { bytes } from "./words";

export type State = Step | { at: "idle" };

export interface Searching {
  state: State;
  search: Search | null;
  selected: number;
  /** Someone has asked for this hit; it is not only the first. */
  chosen: boolean;
  name: string;
  canRepeat: boolean;
  options: Options;
  setOptions: (options: Options) => void;
  select: (n: number) => void;
  begin: (question: Question) => void;
  repeat: () => void;
  clear: () => void;
}

const nameOf = (question: Question): string => ("file" in question ? question.file.name : question.recording.file);

export function useSearch(health: Health | null): Searching {
  const [state, setState] = useState<State>({ at: "idle" });
  const [selected, setSelected] = useState(0);
  const [chosen, setChosen] = useState(false);
  const [options, setOptions] = useState<Options>({});
  const [question, setQuestion] = useState<Question | null>(null);
  const abort = useRef(new AbortController());

  /** The chosen hit stays the chosen one when a better list brings it in another place. */
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
    const told = error instanceof ApiError ? error : new ApiError(String(error), "page", 0);
    setState({ at: "broken", error: told, search: null });
  };

  const start = (): AbortSignal => {
    abort.current.abort();
    abort.current = new AbortController();
    last.current = null;
    setSelected(0);
    setChosen(false);
    return abort.current.signal;
  };

  const run = async (asked: Question, how: Options): Promise<void> => {
    const signal = start();
    const limit = health?.limits.upload_bytes ?? Infinity;
    if ("file" in asked && asked.file.size > limit) {
      const message = `${asked.file.name} has ${bytes(asked.file.size)}; the server takes ${bytes(limit)} at most. Cut out the passage you look for.`;
      return broken(new ApiError(message, "too_large", 413));
    }
    setState({ at: "uploading", part: 0 });
    try {
      const search = await ask(asked, how, (part) => !signal.aborted && setState({ at: "uploading", part }));
      if (signal.aborted) return;
      goTo("search", search.id);
      await follow(search, onStep, signal);
    } catch (error) {
      if (!signal.aborted) broken(error);
    }
  };

  // A reloaded page finds its search again, as long as the server holds it.
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
    name: question ? nameOf(question) : (search?.query?.name ?? ""),
    canRepeat: question !== null,
    options,
    setOptions,
    select: (n) => {
      setSelected(n);
      setChosen(true);
    },
    begin: (asked) => {
      // A passage belongs to one file.
      const { start_s: _start, length_s: _length, ...general } = options;
      setOptions(general);
      setQuestion(asked);
      goTo();
      void run(asked, general);
    },
    repeat: () => {
      if (question) void run(question, options);
    },
    clear: () => {
      start();
      setQuestion(null);
      setState({ at: "idle" });
      goTo();
    },
  };
}
