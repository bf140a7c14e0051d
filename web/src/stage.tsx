// The two files of a match on one time axis: the query above, the match below, with a common playhead.

import { useCallback, useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Loaded, Stage as StageData } from "./loading";
import { type Draw, NotesLane, Ruler } from "./notes-lane";
import { SoundLane } from "./sound-lane";
import type { Theme } from "./theme";
import type { Side } from "./timing";

const WIDEST_PX = 16_000;
const MOST_PX_PER_S = 400;
const STEP = 1.5;

export interface Zoom {
  in: () => void;
  out: () => void;
  fit: () => void;
}

interface Props {
  stage: StageData;
  spectrogram: boolean;
  theme: Theme;
  playing: boolean;
  narrow: boolean;
  onSeek: (axisS: number) => void;
  onTime: (axisS: number) => void;
  zoom: { current: Zoom | null };
}

export function Stage({ stage, spectrogram, theme, playing, narrow, onSeek, onTime, zoom }: Props) {
  const { alignment, player } = stage;
  const scroller = useRef<HTMLDivElement>(null);
  const head = useRef<HTMLDivElement>(null);
  const draws = useRef(new Set<Draw>());
  const [width, setWidth] = useState(0);
  const [chosen, setChosen] = useState<number | null>(null);
  const keep = useRef<{ axisS: number; x: number } | null>(null);
  const fit = width / alignment.length;
  const scale = Math.max(fit, chosen ?? 0);

  const paint = useCallback(() => {
    const box = scroller.current;
    if (!box || !width) return;
    const view = { start: box.scrollLeft / scale, scale, width };
    const now = player.now;
    draws.current.forEach((draw) => draw(view, player.playing || now > 0 ? now : null));
  }, [scale, width, player]);
  const painting = useRef(paint);
  painting.current = paint;

  const register = useCallback((draw: Draw) => {
    draws.current.add(draw);
    painting.current();
    return () => draws.current.delete(draw) as unknown as void;
  }, []);

  const placeHead = useCallback(
    (follow: boolean) => {
      const box = scroller.current;
      const now = player.now;
      const x = now * scale;
      if (head.current) head.current.style.transform = `translateX(${x}px)`;
      if (box && follow && (x < box.scrollLeft || x > box.scrollLeft + width * 0.9)) box.scrollLeft = x - width * 0.1;
      onTime(now);
    },
    [scale, width, player, onTime],
  );

  useLayoutEffect(() => {
    const box = scroller.current;
    if (!box) return undefined;
    const measure = (): void => setWidth(box.clientWidth);
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(box);
    return () => observer.disconnect();
  }, []);

  useLayoutEffect(() => {
    const box = scroller.current;
    if (box && keep.current) box.scrollLeft = keep.current.axisS * scale - keep.current.x;
    keep.current = null;
    paint();
    placeHead(false);
  }, [paint, placeHead, theme]);

  useEffect(() => {
    if (!playing) {
      paint();
      placeHead(false);
      return undefined;
    }
    let frame = 0;
    const tick = (): void => {
      placeHead(true);
      paint();
      frame = requestAnimationFrame(tick);
    };
    tick();
    return () => cancelAnimationFrame(frame);
  }, [playing, paint, placeHead]);

  const zoomTo = (next: number, x = width / 2): void => {
    const box = scroller.current;
    if (!box) return;
    const most = Math.max(fit, Math.min(MOST_PX_PER_S, WIDEST_PX / alignment.length));
    const to = Math.min(most, Math.max(fit, next));
    const headX = player.now * scale - box.scrollLeft;
    const at = headX > 0 && headX < width ? headX : x;
    keep.current = { axisS: (box.scrollLeft + at) / scale, x: at };
    setChosen(to <= fit * 1.001 ? null : to);
  };
  zoom.current = { in: () => zoomTo(scale * STEP), out: () => zoomTo(scale / STEP), fit: () => zoomTo(fit) };

  const seek = (event: MouseEvent): void => {
    const box = scroller.current;
    if (!box) return;
    onSeek((event.clientX - box.getBoundingClientRect().left + box.scrollLeft) / scale);
    painting.current();
    placeHead(false);
  };
  const wheel = (event: WheelEvent): void => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    zoomTo(scale * Math.exp(-event.deltaY / 200));
  };

  const laneHeight = narrow ? 140 : 200;
  const place = (side: Side) => ({ left: `${side.at * scale}px`, width: `${(side.length / side.rate) * scale}px` });
  const lane = (loaded: Loaded) => (
    <div class={`lane ${loaded.side.role}`} style={{ height: `${laneHeight}px` }}>
      {loaded.notes ? (
        <NotesLane side={loaded.side} notes={loaded.notes} height={laneHeight} theme={theme} register={register} />
      ) : (
        loaded.samples && (
          <div class="placed" style={place(loaded.side)}>
            <SoundLane
              side={loaded.side}
              samples={loaded.samples}
              spectrogram={spectrogram}
              height={laneHeight}
              theme={theme}
            />
          </div>
        )
      )}
    </div>
  );
  const [from, to] = alignment.match;
  return (
    <div class="stage" ref={scroller} onScroll={paint} onWheel={wheel} onClick={seek}>
      <div class="stage-inner" style={{ width: `${Math.max(width, alignment.length * scale)}px` }}>
        <div class="ruler">
          <Ruler side={alignment.query} above theme={theme} register={register} />
        </div>
        {lane(stage.query)}
        {lane(stage.hit)}
        <div class="ruler">
          <Ruler side={alignment.hit} above={false} theme={theme} register={register} />
        </div>
        <div class="outside" style={{ left: 0, width: `${from * scale}px` }} />
        <div class="outside after" style={{ left: `${to * scale}px`, right: 0 }} />
        <div class="playhead" ref={head} />
      </div>
    </div>
  );
}
