// The map of the library: similar recordings are close to each other; a click plays a point.

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { getJson, type LibraryMap, type Recording, recordingOf } from "./api";
import { prepare } from "./canvas";
import { colourOf, drawMap, nearest, neighbour, position, ranks, shape } from "./map-drawing";
import { useRequest, useTheme } from "./state";
import { LoadError, Loading } from "./placeholders";
import { clock, titleOf } from "./format";

interface Props {
  played: number | null;
  onPlay: (recording: Recording) => void;
}

export function LibraryMapView(props: Props) {
  const [loaded, reload] = useRequest((signal) => getJson<LibraryMap>("/api/map", signal), []);
  if (loaded.state === "loading") return <Loading text="Drawing the map…" />;
  if (loaded.state === "failed") return <LoadError message={loaded.message} onRetry={reload} />;
  if (!loaded.value.points.length) return <div class="empty"><h2>No map yet</h2><p>The map needs indexed files.</p></div>;
  return <MapOf map={loaded.value} {...props} />;
}

const MOVES: Record<string, [number, number]> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, 1],
  ArrowDown: [0, -1],
};

function MapOf({ map, played, onPlay }: Props & { map: LibraryMap }) {
  const theme = useTheme();
  const canvas = useRef<HTMLCanvasElement>(null);
  const box = useRef<HTMLDivElement>(null);
  const [size, setSize] = useState({ width: 0, height: 0 });
  const [at, setAt] = useState<number | null>(null);
  const [composer, setComposer] = useState<number | null>(null);
  const [known, setKnown] = useState<{ at: number; recording: Recording } | null>(null);
  // While the recording of a point loads, that of the previous point must not be shown.
  const described = known?.at === at ? known.recording : null;
  const rank = ranks(map);

  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return undefined;
    const measure = (): void => setSize({ width: element.clientWidth, height: element.clientHeight });
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  useLayoutEffect(() => {
    const context = canvas.current && size.width ? prepare(canvas.current, size.width, size.height) : null;
    if (context) drawMap(context, map, rank, size.width, size.height, { composer, at, played });
  }, [map, size, at, composer, played, theme]);
  useEffect(() => {
    if (at === null) return undefined;
    let current = true;
    recordingOf(map.points[at]!.id).then(
      (recording) => current && setKnown({ at, recording }),
      () => {},
    );
    return () => {
      current = false;
    };
  }, [at, map]);

  const play = (n: number): void => {
    recordingOf(map.points[n]!.id).then(onPlay, () => setAt(null));
  };
  const under = (event: MouseEvent, reach: number): number | null => {
    const edge = box.current!.getBoundingClientRect();
    const to = { x: event.clientX - edge.left, y: event.clientY - edge.top };
    return nearest(map, size.width, size.height, to, reach);
  };
  const key = (event: KeyboardEvent): void => {
    const move = MOVES[event.key];
    if (move) {
      event.preventDefault();
      setAt(at === null ? 0 : neighbour(map, at, ...move));
    } else if ((event.key === "Enter" || event.key === " ") && at !== null) {
      event.preventDefault();
      play(at);
    }
  };
  const where = at === null ? null : position(map.points[at]!, size.width, size.height);
  const shown = map.composers
    .map((name, n) => ({ name, n }))
    .filter(({ n }) => rank[n]! < 8)
    .sort((a, b) => rank[a.n]! - rank[b.n]!);
  const others = map.composers.some((_, n) => rank[n]! >= 8);
  return (
    <section class="map" aria-label="Map">
      <p class="hint">Similar recordings are close to each other. Click a point to play it, or select one with the arrow keys and press Enter.</p>
      <div
        class="map-box"
        ref={box}
        tabIndex={0}
        role="application"
        aria-label={`Map of ${map.points.length} files. Arrow keys select a point, Enter plays it.`}
        onKeyDown={key}
        onMouseMove={(event) => setAt(under(event, 24))}
        onClick={(event) => {
          const n = under(event, 32);
          setAt(n);
          if (n !== null) play(n);
        }}
      >
        <canvas ref={canvas} aria-hidden="true" />
        {described && where && (
          <div
            class={`map-label${where.x > size.width / 2 ? " before" : ""}${where.y > size.height - 70 ? " above" : ""}`}
            style={{ left: `${where.x}px`, top: `${where.y}px` }}
          >
            <b>{titleOf(described)}</b>
            <span>{described.composer || described.file}</span>
            <span class="number">{described.kind === "audio" ? "recording" : "notes"}, {clock(described.duration_s)}</span>
          </div>
        )}
      </div>
      <p class="visually-hidden" aria-live="polite">{described && `${titleOf(described)}, ${described.composer}, ${described.kind === "audio" ? "recording" : "notes"}`}</p>
      <ul class="legend" aria-label="Composers">
        {shown.map(({ name, n }) => (
          <li key={n}>
            <button type="button" aria-pressed={composer === n} onClick={() => setComposer(composer === n ? null : n)}>
              <Swatch rank={rank[n]!} theme={theme} />{name}
            </button>
          </li>
        ))}
        {others && <li class="rest"><Swatch rank={8} theme={theme} />{shown.length ? "others" : "composer unknown"}</li>}
      </ul>
    </section>
  );
}

function Swatch({ rank, theme }: { rank: number; theme: string }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useLayoutEffect(() => {
    const context = canvas.current && prepare(canvas.current, 14, 14);
    if (!context) return;
    context.fillStyle = colourOf(rank);
    shape(context, rank, { x: 7, y: 7 }, 5);
    context.fill();
  }, [rank, theme]);
  return <canvas ref={canvas} aria-hidden="true" />;
}
