// The list of indexed files, filtered by name, kind and composer.

import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError, getJson, type Kind, type Recording, type Recordings, withParameters } from "./api";
import { KindIcon, PlayIcon, SearchIcon } from "./icons";
import type { Loadable } from "./state";
import { LoadError, Loading } from "./placeholders";
import { amount, clock, titleOf } from "./format";

const PAGE = 50;

interface Props {
  composers: Loadable<{ composer: string; recordings: number }[]>;
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

  const loadPage = (offset: number, signal?: AbortSignal) =>
    getJson<Recordings>(
      withParameters("/api/recordings", { offset, limit: PAGE, text: text.trim(), kind, composer }),
      signal,
    );
  const fail = (failure: unknown): void => setError(failure instanceof ApiError ? failure.message : String(failure));
  useEffect(() => {
    const abort = new AbortController();
    const timer = setTimeout(
      () =>
        loadPage(0, abort.signal).then(
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
    loadPage(items?.length ?? 0).then((page) => setItems([...(items ?? []), ...page.items]), fail);
  };

  const named = composers.state === "ready" ? composers.value.filter((one) => one.composer) : [];
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
        <LoadError message={error} onRetry={() => setAttempt(attempt + 1)} />
      ) : !items ? (
        <Loading />
      ) : !items.length ? (
        <div class="empty">
          <h2>{filtered ? "No matching files" : "No files are indexed yet"}</h2>
          <p>{filtered ? "Enter a part of the path, the title or the composer." : "Add files above, or run: antiphon index add FOLDER --index DIR"}</p>
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
              <button type="button" class="use" onClick={() => onUse(recording)} aria-label={`Use ${titleOf(recording)} as query`}>
                <SearchIcon /><span>Use as query</span>
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
