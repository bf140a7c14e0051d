// Runs a search: posts the query, then follows the event stream, or polls where the stream ends early.

import { ApiError, getJson, type Kind, postForm, postJson, type Recording, type Search, UNREACHABLE } from "./api";

export interface Options {
  start_s?: number;
  length_s?: number;
  against?: Kind;
  composer?: string;
  by_work?: boolean;
  transpose?: boolean;
  top?: number;
}

export type Query = { file: File } | { recording: Recording };

export type Step =
  | { at: "uploading"; part: number }
  | { at: "following"; search: Search; problem?: string }
  | { at: "ended"; search: Search }
  | { at: "broken"; error: ApiError; search: Search | null };

const RETRY_MS = [500, 1000, 2000, 3000];

export async function startSearch(query: Query, options: Options, onPart: (part: number) => void): Promise<Search> {
  if ("recording" in query) {
    return postJson<Search>("/api/searches", { recording: query.recording.id, ...options });
  }
  const form = new FormData();
  form.set("file", query.file, query.file.name);
  for (const [name, value] of Object.entries(options)) {
    if (value !== undefined && value !== "") form.set(name, String(value));
  }
  return postForm<Search>("/api/searches", form, onPart);
}

const ended = ({ status }: Search): boolean => status === "done" || status === "failed";

const wait = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });

/** Resolves with the finished search, or with its last known state where the event stream ends early. */
function followEvents(search: Search, onStep: (step: Step) => void, signal: AbortSignal): Promise<Search> {
  return new Promise((resolve) => {
    let last = search;
    const events = new EventSource(`/api/searches/${search.id}/events`);
    const close = (): void => {
      events.close();
      resolve(last);
    };
    signal.addEventListener("abort", close, { once: true });
    events.addEventListener("search", (event) => {
      last = JSON.parse((event as MessageEvent<string>).data) as Search;
      if (ended(last)) close();
      else if (!signal.aborted) onStep({ at: "following", search: last });
    });
    events.onerror = close;
  });
}

/** Follows a search to its end. Retries for some seconds where the server does not respond. */
export async function follow(search: Search, onStep: (step: Step) => void, signal: AbortSignal): Promise<void> {
  onStep({ at: "following", search });
  let last = ended(search) ? search : await followEvents(search, onStep, signal);
  let misses = 0;
  while (!ended(last) && !signal.aborted) {
    try {
      last = await getJson<Search>(`/api/searches/${search.id}`, signal);
      misses = 0;
      if (!ended(last)) onStep({ at: "following", search: last });
      await wait(ended(last) ? 0 : 300, signal);
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof ApiError)) throw error;
      const pause = error.code === UNREACHABLE ? RETRY_MS[misses++] : undefined;
      if (pause === undefined) return onStep({ at: "broken", error, search: last });
      onStep({ at: "following", search: last, problem: "The server does not respond. Trying again…" });
      await wait(pause, signal);
    }
  }
  if (!signal.aborted) onStep({ at: "ended", search: last });
}
