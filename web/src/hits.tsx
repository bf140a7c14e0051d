// The list of matches, best first, with their positions in the files.

import { useEffect, useRef } from "preact/hooks";
import type { Hit } from "./api";
import { KindIcon } from "./icons";
import { baseName, clock, formatConfidence, titleOf } from "./format";

interface Props {
  hits: Hit[];
  selected: number;
  provisional: boolean;
  onSelect: (n: number) => void;
}

/** The composer. Where two matches share a title, first the rest of the file name, such as the performer. */
function byLine({ recording }: Hit, hits: Hit[]): string {
  const title = titleOf(recording);
  const alike = hits.some(({ recording: other }) => other.id !== recording.id && titleOf(other) === title);
  if (!alike || !recording.composer) return recording.composer || recording.file;
  const name = baseName(recording.file).replace(/\.[a-z0-9]{1,5}$/i, "");
  const rest = name.slice(name.lastIndexOf(title) + (name.includes(title) ? title.length : 1));
  const own = rest.replace(/^[\s\-–_,(]+|[\s)]+$/g, "");
  return own ? `${own} · ${recording.composer}` : recording.composer;
}

export function Hits({ hits, selected, provisional, onSelect }: Props) {
  const list = useRef<HTMLOListElement>(null);
  useEffect(() => {
    list.current?.children[selected]?.scrollIntoView({ block: "nearest" });
  }, [selected]);
  return (
    <ol class={`hits${provisional ? " provisional" : ""}`} ref={list} aria-label="Matches, best first">
      {hits.map((hit, n) => {
        const { recording } = hit;
        const [from, to] = [hit.start_s / recording.duration_s, hit.end_s / recording.duration_s];
        return (
          <li key={`${recording.id} ${hit.start_s}`}>
            <button
              type="button"
              class={`card${hit.likely ? "" : " doubtful"}`}
              aria-current={n === selected ? "true" : undefined}
              onClick={() => onSelect(n)}
            >
              <span class="kind" title={recording.kind === "audio" ? "recording" : "notes"}><KindIcon kind={recording.kind} /></span>
              <span class="line">
                <span class="title">{titleOf(recording)}</span>
                <b class="number">{formatConfidence(hit.confidence)}</b>
              </span>
              <span class="line">
                <span class="by">{byLine(hit, hits)}{hit.gone ? " · file is gone" : ""}</span>
                <span class="words">{hit.words}</span>
              </span>
              <span class="where">
                <span class="file-bar" aria-hidden="true">
                  <span style={{ left: `${from * 100}%`, width: `${Math.max(2, (to - from) * 100)}%` }} />
                </span>
                {clock(hit.start_s)} – {clock(hit.end_s)}
              </span>
            </button>
          </li>
        );
      })}
    </ol>
  );
}
