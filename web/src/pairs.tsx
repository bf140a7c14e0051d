// Pairs of recordings and note files of the library.

import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError, followJob, getJson, type Job, type Pairs, postJson, type Recording } from "./api";
import { Confidence } from "./confidence";
import { PlayIcon } from "./icons";
import { useRequest } from "./state";
import { LoadError, Loading } from "./placeholders";
import { amount, clock, formatConfidence, tempoText, titleOf } from "./format";

interface Props {
  onPlay: (recording: Recording, startS: number) => void;
}

export function Pairs({ onPlay }: Props) {
  const [loaded, reload] = useRequest((signal) => getJson<Pairs>("/api/pairs", signal), []);
  const [job, setJob] = useState<Job | null>(null);
  const [error, setError] = useState("");
  const abort = useRef(new AbortController());
  useEffect(() => () => abort.current.abort(), []);
  const watch = async (begun: Promise<Job>): Promise<void> => {
    setError("");
    try {
      const end = await followJob(await begun, setJob, abort.current.signal);
      if (end.status === "failed") setError(end.error?.error ?? "The pairing failed.");
      reload();
    } catch (failure) {
      if (abort.current.signal.aborted) return;
      setError(failure instanceof ApiError ? failure.message : String(failure));
    }
    setJob(null);
  };
  const running = loaded.state === "ready" ? loaded.value.job : null;
  useEffect(() => {
    if (running && !job) void watch(getJson<Job>(`/api/jobs/${running}`, abort.current.signal));
  }, [running]);
  if (loaded.state === "loading") return <Loading />;
  if (loaded.state === "failed") return <LoadError message={loaded.message} onRetry={reload} />;
  const { pairs } = loaded.value;
  const start = (): void => void watch(postJson<Job>("/api/pairs"));
  return (
    <section aria-label="Pairs">
      <div class="pairs-head">
        <p class="lead">
          {pairs.length
            ? `${amount(pairs.length, "recording")} paired with note files of the library.`
            : "Searches each recording of the library among its note files."}
        </p>
        <button type="button" class={pairs.length ? "" : "primary"} onClick={start} disabled={job !== null}>
          {pairs.length ? "Pair again" : "Find pairs"}
        </button>
      </div>
      {error && <p class="notice error" role="alert">{error}</p>}
      {job && (
        <div class="job" role="status">
          <span>{job.message || "Pairing"}{job.total > 0 && ` · ${job.done} of ${job.total}`}</span>
          <progress max={Math.max(1, job.total)} value={job.done} aria-label="Pairing" />
        </div>
      )}
      <ul class="pairs">
        {pairs.map((pair) => (
          <li key={`${pair.audio.id} ${pair.notes.id}`} class={pair.likely ? "" : "doubtful"}>
            <Half recording={pair.audio} from={pair.query_start_s} to={pair.query_end_s} onPlay={onPlay} role="query" />
            <Half recording={pair.notes} from={pair.start_s} to={pair.end_s} onPlay={onPlay} role="hit" />
            <div class="pair-facts">
              <Confidence hit={pair} />
              <span>{tempoText(pair.tempo)}</span>
              <span title="How sure the times are">path {formatConfidence(pair.path_confidence)}</span>
            </div>
          </li>
        ))}
      </ul>
    </section>
  );
}

interface HalfProps {
  recording: Recording;
  from: number;
  to: number;
  role: "query" | "hit";
  onPlay: Props["onPlay"];
}

function Half({ recording, from, to, role, onPlay }: HalfProps) {
  return (
    <div class={`half ${role}`}>
      <button type="button" class="icon" onClick={() => onPlay(recording, from)} aria-label={`Play ${titleOf(recording)}`}><PlayIcon /></button>
      <span class="what">
        <span class="title">{titleOf(recording)}</span>
        <span class="by">{recording.file} · {clock(from)} – {clock(to)}</span>
      </span>
    </div>
  );
}
