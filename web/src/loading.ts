// What a hit needs to be seen and heard: both sounds, and the notes of the sides that are notes.

import { getJson, type Note, type NotesOfRange, request } from "./api";
import { decode, Player } from "./player";
import { PICTURE_RATE_HZ } from "./sound-lane";
import type { Alignment, Side } from "./timing";

export interface Loaded {
  side: Side;
  heard: AudioBuffer;
  /** Samples for the picture of a sound, notes for the picture of notes. */
  samples: Float32Array | null;
  notes: Note[] | null;
}

const KEEP = 12;
const kept = new Map<string, Promise<ArrayBuffer>>();

/** The query's sound is the same for many hits. */
function soundBytes(url: string): Promise<ArrayBuffer> {
  const found = kept.get(url);
  if (found) return found;
  const asked = request(url).then((answer) => answer.arrayBuffer());
  asked.catch(() => kept.delete(url));
  kept.set(url, asked);
  const oldest = kept.keys().next().value;
  if (kept.size > KEEP && oldest !== undefined) kept.delete(oldest);
  return asked;
}

async function pictureSamples(data: ArrayBuffer): Promise<Float32Array> {
  const buffer = await new OfflineAudioContext(1, 1, PICTURE_RATE_HZ).decodeAudioData(data);
  return buffer.getChannelData(0);
}

async function loadSide(side: Side): Promise<Loaded> {
  const [data, answer] = await Promise.all([
    soundBytes(side.soundUrl),
    side.notesUrl ? getJson<NotesOfRange>(side.notesUrl) : null,
  ]);
  const [heard, samples] = await Promise.all([
    decode(data.slice(0)),
    answer ? null : pictureSamples(data.slice(0)),
  ]);
  return { side, heard, samples, notes: answer?.notes ?? null };
}

export interface Stage {
  alignment: Alignment;
  query: Loaded;
  hit: Loaded;
  left: Loaded;
  right: Loaded;
  player: Player;
}

/** Recording left, notes right; of two of a kind, the query left. */
export async function loadStage(alignment: Alignment): Promise<Stage> {
  const [query, hit] = await Promise.all([loadSide(alignment.query), loadSide(alignment.hit)]);
  const swapped = query.side.kind === "notes" && hit.side.kind === "audio";
  const [left, right] = swapped ? [hit, query] : [query, hit];
  const track = ({ side, heard }: Loaded) => ({ samples: heard, at: side.at, playbackRate: side.playbackRate });
  return { alignment, query, hit, left, right, player: new Player(alignment.length, track(left), track(right)) };
}
