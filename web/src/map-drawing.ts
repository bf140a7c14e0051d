// Drawing of the map: each composer has a colour and a shape, so that similar colours remain distinguishable.

import type { LibraryMap } from "./api";
import { colour } from "./theme";

export interface Position {
  x: number;
  y: number;
}

const COLOURS = 8;
const PADDING_PX = 22;

/** The rank of each composer by number of points. Ranks without a colour share the grey of the rest. */
export function ranks(map: LibraryMap): number[] {
  const counts = map.composers.map(() => 0);
  map.of.forEach((composer) => (counts[composer]! += 1));
  const order = counts.map((_, n) => n).sort((a, b) => counts[b]! - counts[a]! || a - b);
  const rank = counts.map(() => COLOURS);
  order.filter((n) => map.composers[n]).slice(0, COLOURS).forEach((composer, position) => (rank[composer] = position));
  return rank;
}

export const colourOf = (rank: number): string => (rank < COLOURS ? colour(`map-${rank}`) : colour("map-rest"));

export function position(point: Position, width: number, height: number): Position {
  return {
    x: PADDING_PX + point.x * (width - 2 * PADDING_PX),
    y: PADDING_PX + (1 - point.y) * (height - 2 * PADDING_PX),
  };
}

/** The path of one of four shapes around a point. */
export function shape(c: CanvasRenderingContext2D, rank: number, { x, y }: Position, size: number): void {
  c.beginPath();
  switch (rank % 4) {
    case 0:
      c.arc(x, y, size, 0, 2 * Math.PI);
      break;
    case 1:
      c.rect(x - size * 0.88, y - size * 0.88, size * 1.76, size * 1.76);
      break;
    case 2:
      c.moveTo(x, y - size * 1.15);
      c.lineTo(x + size * 1.1, y + size * 0.85);
      c.lineTo(x - size * 1.1, y + size * 0.85);
      c.closePath();
      break;
    default:
      c.moveTo(x, y - size * 1.25);
      c.lineTo(x + size * 1.25, y);
      c.lineTo(x, y + size * 1.25);
      c.lineTo(x - size * 1.25, y);
      c.closePath();
  }
}

interface Marks {
  composer: number | null;
  at: number | null;
  played: number | null;
}

export function drawMap(
  c: CanvasRenderingContext2D,
  map: LibraryMap,
  rank: number[],
  width: number,
  height: number,
  { composer, at, played }: Marks,
): void {
  const size = map.points.length > 2000 ? 3 : map.points.length > 400 ? 4 : 6;
  map.points.forEach((point, n) => {
    const its = map.of[n]!;
    c.globalAlpha = composer === null || composer === its ? 0.9 : 0.12;
    c.fillStyle = colourOf(rank[its]!);
    shape(c, rank[its]!, position(point, width, height), size);
    c.fill();
  });
  c.globalAlpha = 1;
  map.points.forEach((point, n) => {
    if (n !== at && point.id !== played) return;
    c.strokeStyle = colour("ink");
    c.lineWidth = n === at ? 2.5 : 1.5;
    c.beginPath();
    const { x, y } = position(point, width, height);
    c.arc(x, y, size + 5, 0, 2 * Math.PI);
    c.stroke();
  });
}

/** The point nearest to a position on the canvas, within `reach` pixels. */
export function nearest(map: LibraryMap, width: number, height: number, to: Position, reach: number): number | null {
  let best: number | null = null;
  let least = reach * reach;
  map.points.forEach((point, n) => {
    const { x, y } = position(point, width, height);
    const distance = (x - to.x) ** 2 + (y - to.y) ** 2;
    if (distance < least) [best, least] = [n, distance];
  });
  return best;
}

/** The next point in a direction. Sideways distance costs more than distance ahead. */
export function neighbour(map: LibraryMap, from: number, dx: number, dy: number): number {
  const here = map.points[from]!;
  let best = from;
  let least = Infinity;
  map.points.forEach((point, n) => {
    const ahead = (point.x - here.x) * dx + (point.y - here.y) * dy;
    const aside = Math.abs((point.x - here.x) * dy) + Math.abs((point.y - here.y) * dx);
    if (n === from || ahead <= 1e-9) return;
    const cost = ahead + 2.5 * aside;
    if (cost < least) [best, least] = [n, cost];
  });
  return best;
}
