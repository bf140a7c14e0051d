// The search page: query, status of the search, matches, and the selected match.

import type { ComponentChildren } from "preact";
import { getJson, type Health, type Recording, type Recordings } from "./api";
import { Hits } from "./hits";
import { KindIcon, WarnIcon } from "./icons";
import { releaseFocus, useKeys } from "./keys";
import { Match } from "./match";
import { OptionsPanel } from "./options";
import { QueryPanel } from "./query";
import { type Loadable, useRequest } from "./state";
import type { Searching, State } from "./use-search";
import { amount, baseName, clock, percent, sentence, titleOf } from "./format";

interface Props {
  searching: Searching;
  health: Health | null;
  composers: Loadable<{ composer: string; recordings: number }[]>;
}

export function SearchPage({ searching, health, composers }: Props) {
  const { state, search, selected, select, begin } = searching;
  const hits = search?.hits ?? [];
  const hit = hits[selected];
  // A doubtful match is shown only after the user has selected it.
  const shown = hit && (hit.likely || searching.chosen) ? hit : null;
  useKeys({
    j: () => select(shown ? Math.min(selected + 1, hits.length - 1) : 0),
    k: () => select(shown ? Math.max(selected - 1, 0) : 0),
  }, hits.length > 0);
  const onFile = (file: File): void => begin({ file });
  const options = <OptionsPanel searching={searching} health={health} composers={composers} />;

  if (state.at === "idle") {
    return (
      <main class="home" id="main">
        <h1>Find the notes of a recording, or recordings of notes</h1>
        <p class="lead">
          Search with audio or MIDI: matching files, positions, tempo, and the confidence of each match.
        </p>
        <QueryPanel health={health} onFile={onFile} compact={false} />
        {options}
        {health && <LibraryLine health={health} />}
        <Try onUse={(recording) => begin({ recording })} />
      </main>
    );
  }
  return (
    <main class="found" id="main" onClick={releaseFocus}>
      <aside>
        <QueryPanel health={health} onFile={onFile} compact />
        {options}
        <QueryLine searching={searching} />
        <Status state={state} searching={searching} />
        {state.at === "broken" && shown && (
          <div class="notice error broken-off" role="alert">
            {sentence(state.error.message)}
            {searching.canRepeat && <button type="button" onClick={searching.repeat}>Search again</button>}
          </div>
        )}
        {hits.length > 0 && (
          <Hits hits={hits} selected={shown ? selected : -1} provisional={search?.provisional ?? false} onSelect={select} />
        )}
      </aside>
      {search && shown ? (
        <Match search={search} hit={shown} number={selected} clipS={health?.limits.clip_s ?? 60} />
      ) : (
        <Nothing state={state} searching={searching} health={health} />
      )}
    </main>
  );
}

/** Some files of the library as example queries. */
function Try({ onUse }: { onUse: (recording: Recording) => void }) {
  const [loaded] = useRequest((signal) => getJson<Recordings>("/api/recordings?limit=500", signal), []);
  if (loaded.state !== "ready" || !loaded.value.items.length) return null;
  const { items } = loaded.value;
  const some = [0.12, 0.45, 0.78].map((part) => items[Math.floor(part * items.length)]!);
  return (
    <div class="try">
      <span>Or try one of these files:</span>
      {[...new Set(some)].map((recording) => (
        <button type="button" key={recording.id} onClick={() => onUse(recording)}>
          <KindIcon kind={recording.kind} /><b>{titleOf(recording)}</b>
        </button>
      ))}
    </div>
  );
}

function LibraryLine({ health }: { health: Health }) {
  const { audio, notes } = health.index;
  if (!audio && !notes) {
    return (
      <p class="notice">
        The library is empty. <a href="#/library">Add files</a> to search them.
      </p>
    );
  }
  const parts = [notes && amount(notes, "note file"), audio && amount(audio, "recording")].filter(Boolean);
  return (
    <p class="library-line">
      In <a href="#/library">the library</a>: {parts.join(" and ")}, {health.hours.toFixed(health.hours < 10 ? 1 : 0)} hours
    </p>
  );
}

function QueryLine({ searching }: { searching: Searching }) {
  const { search, name } = searching;
  const query = search?.query;
  return (
    <div class="query-line">
      <h1 title={name}>{baseName(query?.name ?? name) || "Query"}</h1>
      {query && <p>{query.kind === "audio" ? "recording" : "notes"}, {clock(query.duration_s)}</p>}
    </div>
  );
}

/** The status of the search in one line, announced to screen readers. */
function Status({ state, searching }: { state: State; searching: Searching }) {
  return <p class="status" role="status" aria-live="polite">{statusText(state, searching)}</p>;
}

function statusText(state: State, searching: Searching): ComponentChildren {
  if (state.at === "uploading") {
    return <><span class="spinner" />{state.part < 1 ? `Uploading, ${percent(state.part)}` : "Uploaded; the server is reading it"}</>;
  }
  if (state.at === "following") {
    const { search, problem } = state;
    if (problem) return <><span class="spinner" />{problem}</>;
    if (search.status === "queued") {
      const ahead = search.ahead ?? 0;
      return <><span class="spinner" />{ahead ? `Waiting: ${amount(ahead, "search", "searches")} ahead` : "Waiting"}</>;
    }
    const progress = search.provisional ? `Matches of the ${search.stage ?? "beginning"}; searching with the whole query` : "Searching";
    return <><span class="spinner" />{progress}</>;
  }
  if (state.at === "ended" && state.search.status === "done") {
    const { hits, seconds } = state.search;
    const time = seconds === null ? "" : ` in ${seconds.toFixed(seconds < 10 ? 2 : 0)} s`;
    const likely = hits.filter((hit) => hit.likely).length;
    if (!hits.length) return `No match${time}`;
    const doubtful = hits.length - likely;
    if (!likely) return `No likely match${time}; ${hits.length} doubtful`;
    return `${amount(likely, "likely match", "likely matches")}${doubtful ? ` and ${doubtful} doubtful` : ""}${time}`;
  }
  return searching.search?.hits.length ? "The search failed" : "";
}

/** What the page has in place of an option of the command line. */
function advice(option: string): ComponentChildren {
  const [name, value] = option.split(" ");
  switch (name) {
    case "--transpose": return <> Select <b>Also in other keys</b> under Options.</>;
    case "--start": return <> Set <b>From second</b> to {value} under Options.</>;
    case "--length": return <> Set <b>Seconds</b> to {value} or more under Options.</>;
    case "--against": return <> Select <b>{value === "audio" ? "recordings" : "notes"}</b> under Options.</>;
    case "without": return <> Select any composer under Options.</>;
    default: return "";
  }
}

function Nothing({ state, searching, health }: { state: State; searching: Searching; health: Health | null }) {
  if (state.at === "uploading" || state.at === "following") {
    return <section class="nothing waiting" aria-hidden="true"><div class="bone wide" /><div class="bone lane" /><div class="bone lane" /><div class="bone" /></section>;
  }
  const error = state.at === "broken" ? state.error.message : state.at === "ended" ? state.search.error?.error : undefined;
  // A refused file would be refused again; a busy or unreachable server may have recovered.
  const canRetry = state.at !== "broken" || state.error.status === 0 || state.error.status >= 500;
  if (error !== undefined) {
    return (
      <section class="nothing" role="alert">
        <WarnIcon />
        <h2>The search failed</h2>
        <p>{sentence(error)}</p>
        <div class="row">
          {searching.canRepeat && canRetry && <button type="button" class="primary" onClick={searching.repeat}>Try again</button>}
          <button type="button" class={canRetry ? "" : "primary"} onClick={searching.clear}>Another query</button>
        </div>
      </section>
    );
  }
  const { against } = searching.options;
  const doubtful = searching.search?.hits.length ?? 0;
  return (
    <section class="nothing">
      <h2>No {doubtful > 0 && "likely "}match found</h2>
      <p>
        No file of the library is likely to contain this music{against || searching.options.composer ? " with the selected options" : ""}.
        {doubtful > 0 && " The list shows the best matches; they are more likely wrong than right."}
      </p>
      <ul>
        {searching.search?.hints.map((hint) => <li>{sentence(hint.fact)}{advice(hint.option)}</li>)}
        {health && <li>The library has {amount(health.index.notes, "note file")} and {amount(health.index.audio, "recording")}: <a href="#/library">check whether it contains the piece</a>.</li>}
      </ul>
      <button type="button" onClick={searching.clear}>Another query</button>
    </section>
  );
}
