// The sources of a query: a file, the microphone, the library.

import { useEffect, useRef, useState } from "preact/hooks";
import type { Health } from "./api";
import { CloseIcon, FileIcon, LibraryIcon, MicIcon, StopIcon } from "./icons";
import { useKeys } from "./keys";
import { Take } from "./microphone";
import { clock } from "./format";

const ACCEPT = ".wav,.flac,.mp3,.ogg,.oga,.aif,.aiff,.m4a,.mid,.midi,.kar,.musicxml,.mxl,.xml,.mei,.krn,.kern,.abc,audio/*";

interface Props {
  health: Health | null;
  onFile: (file: File) => void;
  compact: boolean;
}

export function QueryPanel({ health, onFile, compact }: Props) {
  const input = useRef<HTMLInputElement>(null);
  const [take, setTake] = useState<Take | null>(null);
  const [trouble, setTrouble] = useState("");
  const opening = useRef(false);

  const record = async (): Promise<void> => {
    if (opening.current) return;
    opening.current = true;
    setTrouble("");
    try {
      setTake(await Take.begin());
    } catch (error) {
      setTrouble(error instanceof Error ? error.message : String(error));
    }
    opening.current = false;
  };
  const finish = async (): Promise<void> => {
    if (!take) return;
    setTake(null);
    try {
      onFile(await take.finish());
    } catch {
      setTrouble("This browser could not decode the recording; record a little longer.");
    }
  };
  const cancel = (): void => {
    take?.cancel();
    setTake(null);
  };
  useEffect(() => () => take?.cancel(), [take]);
  useKeys({ o: () => input.current?.click(), r: () => void (take ? finish() : record()) });

  return (
    <div class={`query-panel${compact ? " compact" : ""}`}>
      <input
        ref={input}
        class="visually-hidden"
        type="file"
        accept={ACCEPT}
        tabIndex={-1}
        aria-label="Query file"
        onChange={(event) => {
          const file = event.currentTarget.files?.[0];
          event.currentTarget.value = "";
          if (file) onFile(file);
        }}
      />
      {take ? (
        <Recording take={take} most={health?.limits.query_s ?? 600} onFinish={() => void finish()} onCancel={cancel} />
      ) : (
        <div class="sources">
          <button type="button" class="source drop" onClick={() => input.current?.click()}>
            <FileIcon />
            <span><b>{compact ? "File" : "Drop a file here, or choose one"}</b>{!compact && <small>a recording (wav, flac, mp3, ogg, …) or MIDI</small>}</span>
          </button>
          <button type="button" class="source" onClick={() => void record()}>
            <MicIcon />
            <span><b>Record</b>{!compact && <small>from the microphone</small>}</span>
          </button>
          <a class="source" href="#/library">
            <LibraryIcon />
            <span><b>{compact ? "Library" : "Pick from the library"}</b>{!compact && <small>any file can be the query</small>}</span>
          </a>
        </div>
      )}
      {trouble && <p class="notice error" role="alert">{trouble}</p>}
    </div>
  );
}

interface RecordingProps {
  take: Take;
  most: number;
  onFinish: () => void;
  onCancel: () => void;
}

function Recording({ take, most, onFinish, onCancel }: RecordingProps) {
  const level = useRef<HTMLSpanElement>(null);
  const [seconds, setSeconds] = useState(0);
  const stop = useRef<HTMLButtonElement>(null);
  useKeys({ Escape: onCancel });
  useEffect(() => {
    stop.current?.focus();
    let frame = 0;
    const tick = (): void => {
      if (level.current) level.current.style.transform = `scaleX(${take.level})`;
      setSeconds(Math.floor(take.seconds));
      if (take.seconds >= most) onFinish();
      else frame = requestAnimationFrame(tick);
    };
    tick();
    return () => cancelAnimationFrame(frame);
  }, [take]);
  return (
    <div class="recording" role="group" aria-label="Recording">
      <p class="recording-time"><span class="dot" />Recording <span class="number">{clock(seconds)}</span></p>
      <div class="level" aria-hidden="true"><span ref={level} /></div>
      <p class="hint">Ten seconds are usually enough.</p>
      <div class="row">
        <button type="button" class="primary" ref={stop} onClick={onFinish}><StopIcon />Stop and search</button>
        <button type="button" onClick={onCancel}><CloseIcon />Discard</button>
      </div>
    </div>
  );
}

/** Accepts files that are dropped anywhere on the window. */
export function DropEverywhere({ onFile }: { onFile: (file: File) => void }) {
  const [over, setOver] = useState(false);
  const handler = useRef(onFile);
  handler.current = onFile;
  useEffect(() => {
    const hasFile = (event: DragEvent): boolean => event.dataTransfer?.types.includes("Files") ?? false;
    const enter = (event: DragEvent): void => {
      if (!hasFile(event)) return;
      event.preventDefault();
      setOver(true);
    };
    const leave = (event: DragEvent): void => {
      if (event.relatedTarget === null) setOver(false);
    };
    const drop = (event: DragEvent): void => {
      if (!hasFile(event)) return;
      event.preventDefault();
      setOver(false);
      const file = event.dataTransfer?.files[0];
      if (file) handler.current(file);
    };
    window.addEventListener("dragenter", enter);
    window.addEventListener("dragover", enter);
    window.addEventListener("dragleave", leave);
    window.addEventListener("drop", drop);
    return () => {
      window.removeEventListener("dragenter", enter);
      window.removeEventListener("dragover", enter);
      window.removeEventListener("dragleave", leave);
      window.removeEventListener("drop", drop);
    };
  }, []);
  return over ? <div class="drop-overlay"><p>Drop to search</p></div> : null;
}
