// The library: its files, the map, pairs, files that could not be read, and adding files.

import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError, followJob, forgetRecordings, type Health, type Job, postForm, type Recording } from "./api";
import { Failures } from "./failures";
import { Files } from "./files";
import { PlusIcon } from "./icons";
import { releaseFocus } from "./keys";
import { LibraryMapView } from "./map";
import { Pairs } from "./pairs";
import { Preview } from "./preview";
import type { Loadable } from "./state";
import { amount, bytes, percent } from "./format";

interface Props {
  tab: string;
  health: Health | null;
  composers: Loadable<{ composer: string; recordings: number }[]>;
  focusFind: number;
  onUse: (recording: Recording) => void;
  onChanged: () => void;
}

const TABS = [
  ["files", "Files"],
  ["map", "Map"],
  ["pairs", "Pairs"],
  ["failed", "Not read"],
] as const;

export interface Played {
  recording: Recording;
  startS: number;
}

export function LibraryPage({ tab, health, composers, focusFind, onUse, onChanged }: Props) {
  const [played, setPlayed] = useState<Played | null>(null);
  const [version, setVersion] = useState(0);
  const play = (recording: Recording, startS = 0): void => setPlayed({ recording, startS });
  const changed = (): void => {
    forgetRecordings();
    setVersion(version + 1);
    onChanged();
  };
  return (
    <main class={`library${played ? " with-preview" : ""}`} id="main" onClick={releaseFocus}>
      <header class="library-head">
        <div>
          <h1>Library</h1>
          {health && (
            <p class="lead">
              {amount(health.index.notes, "note file")}, {amount(health.index.audio, "recording")},{" "}
              {health.hours.toFixed(health.hours < 10 ? 1 : 0)} hours; embedded with <i>{health.model}</i>
            </p>
          )}
        </div>
        {health?.uploads && <AddFiles limit={health.limits.upload_bytes} onAdded={changed} />}
      </header>
      <nav class="tabs" aria-label="Library">
        {TABS.map(([name, text]) => (
          <a href={name === "files" ? "#/library" : `#/library/${name}`} aria-current={tab === name ? "page" : undefined}>{text}</a>
        ))}
      </nav>
      {tab === "map" ? (
        <LibraryMapView key={version} onPlay={play} played={played?.recording.id ?? null} />
      ) : tab === "pairs" ? (
        <Pairs key={version} onPlay={play} />
      ) : tab === "failed" ? (
        <Failures key={version} />
      ) : (
        <Files
          key={version}
          composers={composers}
          focusFind={focusFind}
          played={played?.recording.id ?? null}
          onPlay={play}
          onUse={onUse}
        />
      )}
      {played && (
        <Preview
          recording={played.recording}
          startS={played.startS}
          clipS={health?.limits.clip_s ?? 60}
          onClose={() => setPlayed(null)}
          onUse={onUse}
        />
      )}
    </main>
  );
}

function summary({ result }: Job): string {
  if (!result) return "Done";
  const { added, unchanged, failed } = result;
  const parts = [
    added.length && `${amount(added.length, "file")} added`,
    unchanged.length && `${unchanged.length} already in the library`,
    ...failed.map(({ file, reason }) => `${file}: ${reason}`),
  ];
  return parts.filter(Boolean).join("; ");
}

/** Uploads files into the library and shows the progress of the job that embeds them. */
function AddFiles({ limit, onAdded }: { limit: number; onAdded: () => void }) {
  const input = useRef<HTMLInputElement>(null);
  const [text, setText] = useState("");
  const [failed, setFailed] = useState(false);
  const [busy, setBusy] = useState(false);
  const abort = useRef(new AbortController());
  useEffect(() => () => abort.current.abort(), []);
  const add = async (files: File[]): Promise<void> => {
    setFailed(false);
    const total = files.reduce((sum, { size }) => sum + size, 0);
    if (total > limit) {
      setFailed(true);
      return setText(`The files have ${bytes(total)}; the server accepts ${bytes(limit)} per upload. Use antiphon index add for more.`);
    }
    const form = new FormData();
    files.forEach((file) => form.append("files", file, file.name));
    setBusy(true);
    try {
      const job = await postForm<Job>("/api/files", form, (part) => setText(`Uploading, ${percent(part)}`));
      const end = await followJob(
        job,
        ({ done, total, message }) => setText(message || (total ? `${done} of ${total} read` : "Reading")),
        abort.current.signal,
      );
      if (end.status === "failed") throw new ApiError(end.error?.error ?? "The files could not be added.", "job", 0);
      setText(summary(end));
      setFailed(Boolean(end.result?.failed.length));
      onAdded();
    } catch (error) {
      if (abort.current.signal.aborted) return;
      setFailed(true);
      setText(error instanceof ApiError ? error.message : String(error));
    }
    setBusy(false);
  };
  return (
    <div class="add-files">
      <input
        ref={input}
        class="visually-hidden"
        type="file"
        multiple
        tabIndex={-1}
        aria-label="Files to add"
        onChange={(event) => {
          const files = [...(event.currentTarget.files ?? [])];
          event.currentTarget.value = "";
          if (files.length) void add(files);
        }}
      />
      <button type="button" disabled={busy} onClick={() => input.current?.click()}><PlusIcon />Add files</button>
      <p class={failed ? "message error" : "message"} role={failed ? "alert" : "status"}>{busy && <span class="spinner" />}{text}</p>
    </div>
  );
}
