// A common time axis for two files, and the mapping of each side's seconds to it.

import { type Hit, type Kind, type Search, withParameters } from "./api";
import { baseName, titleOf } from "./format";

const CONTEXT_S = 6;

export interface Side {
  role: "query" | "hit";
  kind: Kind;
  name: string;
  /** The shown range of the file, in seconds, and its start on the axis. */
  from: number;
  length: number;
  at: number;
  /** Seconds of the file per second of the axis. */
  rate: number;
  /** The playback rate of the server's audio. Notes have rate 1, because the server renders them at the tempo. */
  playbackRate: number;
  /** The match, in seconds of the file. */
  match: [number, number];
  soundUrl: string;
  notesUrl: string | null;
}

export interface Alignment {
  /** Length of the axis in seconds; it starts at 0. */
  length: number;
  match: [number, number];
  query: Side;
  hit: Side;
  /** The match is longer than a clip of the server, so that only its first part is shown. */
  cut: boolean;
}

/**
 * The axis follows the audio side, because stretching audio would degrade it. Where both sides are audio or both are
 * notes, it follows the query. A few seconds before and after the match are shown where the files have them.
 */
export function align(search: Search, hit: Hit, clipS: number): Alignment {
  const query = search.query;
  if (!query) throw new Error("a match without a query");
  const byHit = query.kind === "notes" && hit.recording.kind === "audio";
  const queryRate = byHit ? 1 / hit.tempo : 1;
  const hitRate = byHit ? 1 : hit.tempo;
  const limit = clipS / Math.max(queryRate, hitRate);
  const matched = byHit ? hit.end_s - hit.start_s : hit.query_end_s - hit.query_start_s;
  const shown = Math.min(matched, limit);
  const spare = limit - shown;
  const room = (here: number, rate: number): number => Math.max(0, here / rate);
  const before = Math.min(
    CONTEXT_S,
    spare / 2,
    Math.max(room(hit.query_start_s, queryRate), room(hit.start_s, hitRate)),
  );
  const after = Math.min(
    CONTEXT_S,
    spare / 2,
    Math.max(
      room(query.duration_s - hit.query_end_s, queryRate),
      room(hit.recording.duration_s - hit.end_s, hitRate),
    ),
  );
  const length = before + shown + after;
  const side = (
    role: Side["role"],
    kind: Kind,
    name: string,
    path: string,
    rate: number,
    start: number,
    end: number,
    duration: number,
  ): Side => {
    const first = start - before * rate;
    const from = Math.max(0, first);
    const sideLength = Math.max(0.05, Math.min(duration, first + length * rate) - from);
    const clip = { start_s: from, length_s: sideLength };
    return {
      role,
      kind,
      name,
      from,
      length: sideLength,
      at: (from - first) / rate,
      rate,
      playbackRate: kind === "notes" ? 1 : rate,
      match: [start, end],
      soundUrl: withParameters(`${path}/sound`, kind === "notes" ? { ...clip, tempo: rate } : clip),
      notesUrl: kind === "notes" ? withParameters(`${path}/notes`, clip) : null,
    };
  };
  return {
    length,
    match: [before, before + shown],
    cut: shown < matched - 0.01,
    query: side(
      "query",
      query.kind,
      baseName(query.name),
      `/api/searches/${search.id}`,
      queryRate,
      hit.query_start_s,
      hit.query_end_s,
      query.duration_s,
    ),
    hit: side(
      "hit",
      hit.recording.kind,
      titleOf(hit.recording),
      `/api/recordings/${hit.recording.id}`,
      hitRate,
      hit.start_s,
      hit.end_s,
      hit.recording.duration_s,
    ),
  };
}

/** Converts a time of the axis to seconds of the side's file. */
export const inFile = (side: Side, axisS: number): number => side.from + (axisS - side.at) * side.rate;

/** Converts seconds of the side's file to a time of the axis. */
export const onAxis = (side: Side, fileS: number): number => side.at + (fileS - side.from) / side.rate;

/** A round step in seconds between the marks of a ruler, at least `leastPx` pixels apart. */
export function rulerStep(pxPerSecond: number, leastPx: number): number {
  for (const step of [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300]) {
    if (step * pxPerSecond >= leastPx) return step;
  }
  return 600;
}
