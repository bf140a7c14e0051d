// The piano roll and the two rulers: canvases that stay in place while the stage scrolls.

import { useLayoutEffect, useRef } from "preact/hooks";
import type { Note } from "./api";
import { prepare } from "./canvas";
import { drawRoll, drawRuler, type View } from "./roll";
import type { Theme } from "./theme";
import { inFile, type Side } from "./timing";

/** Redraws a canvas for a view. The stage calls all registered functions while it scrolls and plays. */
export type Draw = (view: Omit<View, "height">, axisS: number | null) => void;
export type Register = (draw: Draw) => () => void;

function useDrawing(
  height: number,
  register: Register,
  paint: (c: CanvasRenderingContext2D, view: View, axisS: number | null) => void,
  inputs: unknown[],
) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useLayoutEffect(
    () =>
      register((view, axisS) => {
        const context = canvas.current && prepare(canvas.current, view.width, height);
        if (context) paint(context, { ...view, height }, axisS);
      }),
    [height, register, ...inputs],
  );
  return canvas;
}

interface RollProps {
  side: Side;
  notes: Note[];
  height: number;
  theme: Theme;
  register: Register;
}

export function NotesLane({ side, notes, height, theme, register }: RollProps) {
  const canvas = useDrawing(
    height,
    register,
    (c, view, axisS) => drawRoll(c, view, side, notes, axisS === null ? null : inFile(side, axisS)),
    [side, notes, theme],
  );
  return <canvas ref={canvas} class="in-view" role="img" aria-label={`Piano roll of ${side.name}: ${notes.length} notes`} />;
}

interface RulerProps {
  side: Side;
  above: boolean;
  theme: Theme;
  register: Register;
}

export function Ruler({ side, above, theme, register }: RulerProps) {
  const canvas = useDrawing(22, register, (c, view) => drawRuler(c, view, side, above), [side, above, theme]);
  return <canvas ref={canvas} class="in-view" aria-hidden="true" />;
}
