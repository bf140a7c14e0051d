// The selected match: its facts, both sides on one time axis, the controls, the downloads.

import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import { ApiError, type Hit, type Search } from "./api";
import { Confidence } from "./confidence";
import { DownIcon, FitIcon, LoopIcon, MinusIcon, PauseIcon, PlayIcon, PlusIcon } from "./icons";
import { useKeys } from "./keys";
import { loadStage, type Stage as StageData } from "./loading";
import type { Output } from "./player";
import { Stage, type Zoom } from "./stage";
import { useNarrow, useTheme } from "./state";
import { align, inFile } from "./timing";
import { baseName, clock, transpositionText, sentence, tempoText, titleOf } from "./format";

interface Props {
  search: Search;
  hit: Hit;
  number: number;
  clipS: number;
}

const SIDE_NAMES = { audio: "Recording", notes: "Notes" };

export function Match({ search, hit, number, clipS }: Props) {
  const theme = useTheme();
  const narrow = useNarrow();
  // An updated list may contain the same match again: then nothing is loaded again.
  const key = JSON.stringify([search.id, hit.recording.id, hit.start_s, hit.end_s, hit.query_start_s, hit.tempo]);
  const alignment = useMemo(() => align(search, hit, clipS), [key, clipS]);
  const [stage, setStage] = useState<StageData | null>(null);
  const [error, setError] = useState<string | null>(null);
  const [attempt, setAttempt] = useState(0);
  const [playing, setPlaying] = useState(false);
  const [output, setOutput] = useState<Output>("both");
  const [looping, setLooping] = useState(false);
  const [spectrogram, setSpectrogram] = useState(true);
  const zoom = useRef<Zoom | null>(null);
  const position = useRef<HTMLInputElement>(null);
  const queryTime = useRef<HTMLSpanElement>(null);
  const hitTime = useRef<HTMLSpanElement>(null);
  const midi = useRef<HTMLAnchorElement>(null);

  useEffect(() => {
    let current = true;
    let loaded: StageData | null = null;
    setError(null);
    setPlaying(false);
    loadStage(alignment).then(
      (stage) => {
        if (!current) return stage.player.close();
        loaded = stage;
        stage.player.onEnd = () => setPlaying(false);
        stage.player.seek(alignment.match[0]);
        setStage(stage);
      },
      (failure: unknown) => {
        if (!current) return;
        setStage(null);
        setError(failure instanceof ApiError ? failure.message : "This browser could not decode the audio.");
      },
    );
    return () => {
      current = false;
      loaded?.player.close();
    };
  }, [alignment, attempt]);

  const ready = stage?.alignment === alignment ? stage : null;
  useEffect(() => ready?.player.setOutput(output), [ready, output]);
  useEffect(() => ready?.player.setLoop(looping ? alignment.match : null), [ready, looping]);

  const onTime = useCallback(
    (axisS: number) => {
      if (position.current) position.current.value = String(axisS);
      if (queryTime.current) queryTime.current.textContent = clock(inFile(alignment.query, axisS), true);
      if (hitTime.current) hitTime.current.textContent = clock(inFile(alignment.hit, axisS), true);
    },
    [alignment],
  );
  const toggle = (): void => {
    if (!ready) return;
    if (ready.player.playing) {
      ready.player.pause();
      setPlaying(false);
    } else {
      void ready.player.play();
      setPlaying(true);
    }
  };
  const seek = (axisS: number): void => {
    ready?.player.seek(axisS);
    if (ready) onTime(ready.player.now);
    if (!playing) setAt(axisS);
  };
  const [, setAt] = useState(0); // a seek while paused redraws the playhead
  const step = (by: number): void => seek((ready?.player.now ?? 0) + by);
  useKeys({
    " ": toggle,
    l: () => setLooping(!looping),
    s: () => setSpectrogram(!spectrogram),
    d: () => midi.current?.click(),
    "1": () => setOutput("left"),
    "2": () => setOutput("both"),
    "3": () => setOutput("right"),
    "+": () => zoom.current?.in(),
    "=": () => zoom.current?.in(),
    "-": () => zoom.current?.out(),
    "0": () => zoom.current?.fit(),
    ArrowLeft: () => step(-2),
    ArrowRight: () => step(2),
    Home: () => seek(alignment.match[0]),
  });

  const { recording } = hit;
  const title = titleOf(recording);
  const sound = [alignment.query, alignment.hit].some(({ kind }) => kind === "audio");
  const notes = [alignment.query, alignment.hit].some(({ kind }) => kind === "notes");
  const mixed = sound && notes;
  const outputs: [Output, string][] = mixed
    ? [["left", "Recording"], ["both", "Both"], ["right", "Notes"]]
    : [["left", "Query"], ["both", "Both"], ["right", "Match"]];
  const base = `/api/searches/${search.id}`;
  const transposition = transpositionText(hit.semitones);
  return (
    <section class={`match${hit.likely ? "" : " doubtful"}`} aria-labelledby="match-title">
      <header class="match-head">
        <div class="match-name">
          {recording.composer && <p class="composer">{recording.composer}</p>}
          <h2 id="match-title">{title}</h2>
          <p class="path" title={recording.file}>{recording.file}</p>
        </div>
        <Confidence hit={hit} large />
      </header>
      {!hit.likely && (
        <p class="warning">This match is more likely wrong than right. Compare both sides.</p>
      )}
      <dl class="facts">
        <div><dt>in the query</dt><dd>{clock(hit.query_start_s, true)} – {clock(hit.query_end_s, true)}</dd></div>
        <div><dt>in the match</dt><dd>{clock(hit.start_s, true)} – {clock(hit.end_s, true)}</dd></div>
        <div><dt>tempo</dt><dd>{tempoText(hit.tempo)}</dd></div>
        {transposition && <div><dt>transposition of the query</dt><dd>{transposition}</dd></div>}
      </dl>
      <div class="lane-title query">
        <b>Query</b> {SIDE_NAMES[alignment.query.kind].toLowerCase()} · {baseName(alignment.query.name)}
      </div>
      <div class="stage-box">
        {ready ? (
          <Stage
            key={key}
            stage={ready}
            spectrogram={spectrogram}
            theme={theme}
            playing={playing}
            narrow={narrow}
            onSeek={seek}
            onTime={onTime}
            zoom={zoom}
          />
        ) : error ? (
          <div class="stage-empty" role="alert">
            <p>{sentence(error)}</p>
            <button type="button" onClick={() => setAttempt(attempt + 1)}>Try again</button>
          </div>
        ) : (
          <div class="stage-empty loading" role="status"><span class="spinner" />Loading audio and notes…</div>
        )}
      </div>
      <div class="lane-title hit">
        <b>Match</b> {SIDE_NAMES[alignment.hit.kind].toLowerCase()} · {title}
        {alignment.cut && <span class="cut"> · first {clock(alignment.length)} of the match</span>}
      </div>
      <div class="transport">
        <button type="button" class="play" onClick={toggle} disabled={!ready} aria-label={playing ? "Pause" : "Play"}>
          {playing ? <PauseIcon /> : <PlayIcon />}
        </button>
        <span class="times">
          <span class="query" ref={queryTime} title="in the query">0:00.0</span>
          <span class="hit" ref={hitTime} title="in the match">0:00.0</span>
        </span>
        <input
          ref={position}
          class="position"
          type="range"
          min="0"
          max={alignment.length}
          step="0.01"
          aria-label="Position"
          disabled={!ready}
          defaultValue="0"
          onInput={(event) => seek(Number(event.currentTarget.value))}
        />
        <div class="segmented" role="group" aria-label="Audio output">
          {outputs.map(([value, name]) => (
            <button type="button" aria-pressed={output === value} onClick={() => setOutput(value)}>{name}</button>
          ))}
        </div>
        <button type="button" class="icon" aria-pressed={looping} onClick={() => setLooping(!looping)} aria-label="Loop the match" title="Loop the match (L)">
          <LoopIcon />
        </button>
        <div class="zoom" role="group" aria-label="Zoom">
          <button type="button" class="icon" onClick={() => zoom.current?.out()} aria-label="Zoom out" title="Zoom out (−)"><MinusIcon /></button>
          <button type="button" class="icon" onClick={() => zoom.current?.fit()} aria-label="Fit" title="Fit (0)"><FitIcon /></button>
          <button type="button" class="icon" onClick={() => zoom.current?.in()} aria-label="Zoom in" title="Zoom in (+)"><PlusIcon /></button>
        </div>
        {sound && (
          <button type="button" class="quiet" onClick={() => setSpectrogram(!spectrogram)} title="S">
            {spectrogram ? "Waveform" : "Spectrogram"}
          </button>
        )}
      </div>
      <div class="downloads">
        <span><DownIcon />Download</span>
        {notes && (
          <a ref={midi} href={`${base}/hits/${number}/aligned.mid`} download title="D">
            MIDI at the times of the {mixed ? "recording" : "query"}
          </a>
        )}
        <a href={`${base}/hits.csv`} download>all matches, CSV</a>
        <a href={`${base}/hits.json`} download>all matches, JSON</a>
        {mixed && <span class="ear">recording left, notes right</span>}
      </div>
    </section>
  );
}
