// A query, what the search says about it, its hits, and the one that is looked at.

import type { ComponentChildren } from "preact";
import { getJson, type Health, type Recording, type Recordings } from "./api";
import { Hits } from "./hits";
import { KindIcon, WarnIcon } from "./icons";
import { letGo, useKeys } from "./keys";
import { Match } from "./match";
import { OptionsPanel } from "./options";
import { QueryPanel } from "./query";
import { type Asked, useAsked } from "./state";
import type { Searching, State } from "./use-search";
import { amount, baseName, clock, percent, sentence, titleOf } from "./words";

interface Props {
  searching: Searching;
  health: Health | null;
  composers: Asked<{ composer: string; recordings: number }[]>;
}

export function SearchPage({ searching, health, composers }: Props) {
  const { state, search, selected, select, begin } = searching;
  const hits = search?.hits ?? [];
  const hit = hits[selected];
  // What is more likely wrong than right is looked at only by who asks for it.
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
        <h1>Which notes are these? Who plays them?</h1>
        <p class="lead">
          A recording finds its notes, notes find their recordings: which piece, from where to where, how sure.
        </p>
        <QueryPanel health={health} onFile={onFile} compact={false} />
        {options}
        {health && <LibraryLine health={health} />}
        <Try onUse={(recording) => begin({ recording })} />
      </main>
    );
  }
  return (
    <main class="found" id="main" onClick={letGo}>
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

/** A few files of the library, for who has none at hand. */
function Try({ onUse }: { onUse: (recording: Recording) => void }) {
  const [asked] = useAsked((signal) => getJson<Recordings>("/api/recordings?limit=500", signal), []);
  if (asked.state !== "here" || !asked.value.items.length) return null;
  const { items } = asked.value;
  const some = [0.12, 0.45, 0.78].map((part) => items[Math.floor(part * items.length)]!);
  return (
    <div class="try">
      <span>Or see what it does with one of these:</span>
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
        The library is empty. <a href="#/library">Add files</a> and they can be found.
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

/** One line of where the search stands; read out as it changes. */
function Status({ state, searching }: { state: State; searching: Searching }) {
  return <p class="status" role="status" aria-live="polite">{statusText(state, searching)}</p>;
}

function statusText(state: State, searching: Searching): ComponentChildren {
  if (state.at === "uploading") {
    return <><span class="spinner" />{state.part < 1 ? `Sending, ${percent(state.part)}` : "Sent; the server reads it"}</>;
  }
  if (state.at === "following") {
    const { search, trouble } = state;
    if (trouble) return <><span class="spinner" />{trouble}</>;
    if (search.status === "queued") {
      const ahead = search.ahead ?? 0;
      return <><span class="spinner" />{ahead ? `Waiting: ${amount(ahead, "search", "searches")} before this one` : "Waiting"}</>;
    }
    const heard = search.provisional ? `From the ${search.stage ?? "beginning"}; the rest is being heard` : "Searching";
    return <><span class="spinner" />{heard}</>;
  }
  if (state.at === "ended" && state.search.status === "done") {
    const { hits, seconds } = state.search;
    const time = seconds === null ? "" : ` in ${seconds.toFixed(seconds < 10 ? 2 : 0)} s`;
    const likely = hits.filter((hit) => hit.likely).length;
    if (!hits.length) return `Nothing found${time}`;
    const doubtful = hits.length - likely;
    if (!likely) return `Nothing likely found${time}; the nearest ${hits.length > 1 ? `${hits.length} are` : "one is"} doubtful`;
    return `${amount(likely, "likely hit")}${doubtful ? ` and ${doubtful} doubtful` : ""}${time}`;
  }
  return searching.search?.hits.length ? "The search broke off" : "";
}

function Nothing({ state, searching, health }: { state: State; searching: Searching; health: Health | null }) {
  if (state.at === "uploading" || state.at === "following") {
    return <section class="nothing waiting" aria-hidden="true"><div class="bone wide" /><div class="bone lane" /><div class="bone lane" /><div class="bone" /></section>;
  }
  const error = state.at === "broken" ? state.error.message : state.at === "ended" ? state.search.error?.error : undefined;
  // The same file would be refused again; a server that was away or busy may be back.
  const hopeful = state.at !== "broken" || state.error.status === 0 || state.error.status >= 500;
  if (error !== undefined) {
    return (
      <section class="nothing" role="alert">
        <WarnIcon />
        <h2>That did not work</h2>
        <p>{sentence(error)}</p>
        <div class="row">
          {searching.canRepeat && hopeful && <button type="button" class="primary" onClick={searching.repeat}>Try again</button>}
          <button type="button" class={hopeful ? "" : "primary"} onClick={searching.clear}>Another query</button>
        </div>
      </section>
    );
  }
  const { against } = searching.options;
  const doubtful = searching.search?.hits.length ?? 0;
  return (
    <section class="nothing">
      <h2>Nothing {doubtful > 0 && "likely "}found</h2>
      <p>
        No file of the library seems to play this{against || searching.options.composer ? " within the options chosen" : ""}.
        {doubtful > 0 && " What comes nearest is in the list; it is more likely wrong than right."}
      </p>
      <ul>
        <li>Take a passage in which the piano alone is heard, ten seconds or more.</li>
        <li>Try <b>Also in other keys</b> under Options if the performance may be transposed.</li>
        {health && <li>The library has {amount(health.index.notes, "note file")} and {amount(health.index.audio, "recording")}: <a href="#/library">see whether the piece is there</a>.</li>}
      </ul>
      <button type="button" onClick={searching.clear}>Another query</button>
    </section>
  );
}
