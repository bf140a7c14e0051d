// What is indexed, found by name, kind and composer.

import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError, getJson, type Kind, type Recording, type Recordings, withParameters } from "./api";
import { KindIcon, PlayIcon, SearchIcon } from "./icons";
import type { Asked } from "./state";
import { Trouble, Waiting } from "./told";
import { amount, clock, titleOf } from "./words";

const PAGE = 50;

interface Props {
  composers: Asked<{ composer: string; recordings: number }[]>;
  focusFind: number;
  played: number | null;
  onPlay: (recording: Recording) => void;
  onUse: (recording: Recording) => void;
}

export function Files({ composers, focusFind, played, onPlay, onUse }: Props) {
  const [text, setText] = useState("");
  const [kind, setKind] = useState<Kind | "">("");
  const [composer, setComposer] = useState("");
  const [items, setItems] = useState<Recording[] | null>(null);
  const [total, setTotal] = useState(0);
  const [error, setError] = useState("");
  const [attempt, setAttempt] = useState(0);
  const find = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (focusFind) find.current?.focus();
  }, [focusFind]);

  const ask = (offset: number, signal?: AbortSignal) =>
    getJson<Recordings>(
      withParameters("/api/recordings", { offset, limit: PAGE, text: text.trim(), kind, composer }),
      signal,
    );
  const fail = (failure: unknown): void => setError(failure instanceof ApiError ? failure.message : String(failure));
  useEffect(() => {
    const abort = new AbortController();
    const timer = setTimeout(
      () =>
        ask(0, abort.signal).then(
          (page) => {
            if (abort.signal.aborted) return;
            setError("");
            setItems(page.items);
            setTotal(page.total);
          },
          (failure: unknown) => !abort.signal.aborted && fail(failure),
        ),
      items ? 150 : 0,
    );
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [text, kind, composer, attempt]);
  const more = (): void => {
    ask(items?.length ?? 0).then((page) => setItems([...(items ?? []), ...page.items]), fail);
  };

  const named = composers.state === "here" ? composers.value.filter((one) => one.composer) : [];
  const filtered = Boolean(text.trim() || kind || composer);
  return (
    <section aria-label="Files">
      <div class="filters">
        <label class="find">
          <SearchIcon />
          <input
            ref={find}
            type="search"
            placeholder="Find by name"
            aria-label="Find by name"
            value={text}
            onInput={(event) => setText(event.currentTarget.value)}
            onKeyDown={(event) => event.key === "Escape" && event.currentTarget.blur()}
          />
        </label>
        <select aria-label="Kind" value={kind} onChange={(event) => setKind(event.currentTarget.value as Kind | "")}>
          <option value="">notes and recordings</option>
          <option value="notes">notes</option>
          <option value="audio">recordings</option>
        </select>
        {named.length > 0 && (
          <select aria-label="Composer" value={composer} onChange={(event) => setComposer(event.currentTarget.value)}>
            <option value="">all composers</option>
            {named.map((one) => (
              <option value={one.composer}>{`${one.composer} (${one.recordings})`}</option>
            ))}
          </select>
        )}
        <span class="total" role="status">{items && amount(total, "file")}</span>
      </div>
      {error ? (
        <Trouble message={error} onRetry={() => setAttempt(attempt + 1)} />
      ) : !items ? (
        <Waiting />
      ) : !items.length ? (
        <div class="empty">
          <h2>{filtered ? "No file is called that" : "Nothing is indexed yet"}</h2>
          <p>{filtered ? "Part of a file's path, its title or its composer will do." : "Add files above, or run antiphon index add FOLDER --index DIR."}</p>
        </div>
      ) : (
        <ul class="files">
          {items.map((recording) => (
            <li key={recording.id} class={played === recording.id ? "now" : ""}>
              <button type="button" class="icon" onClick={() => onPlay(recording)} aria-label={`Play ${titleOf(recording)}`}>
                <PlayIcon />
              </button>
              <span class="kind" title={recording.kind === "audio" ? "recording" : "notes"}><KindIcon kind={recording.kind} /></span>
              <span class="what">
                <span class="title">{titleOf(recording)}</span>
                <span class="by">{recording.composer && <b>{recording.composer}</b>} {recording.file}</span>
              </span>
              <span class="length number">{clock(recording.duration_s)}</span>
              <button type="button" class="use" onClick={() => onUse(recording)} aria-label={`Search with ${titleOf(recording)}`}>
                <SearchIcon /><span>Search with it</span>
              </button>
            </li>
          ))}
        </ul>
      )}
      {items && items.length < total && (
        <p class="more"><button type="button" onClick={more}>Show {Math.min(PAGE, total - items.length)} more</button></p>
      )}
    </section>
  );
}
