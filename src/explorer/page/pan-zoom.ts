/** Moving about on a drawing that is larger than its frame: wheel, drag, keys, and what fits it into the frame. */
import { type Signal, signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';

export interface Look {
  readonly x: number;
  readonly y: number;
  readonly scale: number;
}

export interface Extent {
  readonly width: number;
  readonly height: number;
}

const SMALLEST = 0.12;
const LARGEST = 2.5;
/** Below this a whole chart is too small to read: then a part of it is shown. */
const READABLE = 0.62;
const MARGIN = 18;

const within = (scale: number): number => Math.max(SMALLEST, Math.min(LARGEST, scale));

export const wholeOf = (drawing: Extent, frame: Extent): Look => {
  const scale = within(
    Math.min(1.25, (frame.width - 2 * MARGIN) / drawing.width, (frame.height - 2 * MARGIN) / drawing.height),
  );
  return {
    scale,
    x: (frame.width - drawing.width * scale) / 2,
    y: Math.max(MARGIN, (frame.height - drawing.height * scale) / 2),
  };
};

/** The whole where it can be read, otherwise the neighbourhood of a point. */
export const readable = (drawing: Extent, frame: Extent, at: Readonly<Record<'x' | 'y', number>>): Look => {
  const whole = wholeOf(drawing, frame);
  if (whole.scale >= READABLE) return whole;
  return { scale: 0.85, x: frame.width / 2 - at.x * 0.85, y: frame.height / 2 - at.y * 0.85 };
};

export const zoomed = (look: Look, factor: number, at: { readonly x: number; readonly y: number }): Look => {
  const scale = within(look.scale * factor);
  const change = scale / look.scale;
  return { scale, x: at.x - (at.x - look.x) * change, y: at.y - (at.y - look.y) * change };
};

export interface PanZoom {
  readonly look: Signal<Look>;
  readonly frame: Signal<Extent>;
  readonly attach: { readonly current: SVGSVGElement | null };
  zoom(factor: number): void;
}

/** Lets a drawing be moved; `moved` hears of the first move that a person makes. */
export const usePanZoom = (moved: () => void): PanZoom => {
  const attach = useRef<SVGSVGElement>(null);
  const kept = useRef<{ look: Signal<Look>; frame: Signal<Extent> } | undefined>(undefined);
  kept.current ??= { look: signal({ x: 0, y: 0, scale: 1 }), frame: signal({ width: 0, height: 0 }) };
  const { look, frame } = kept.current;
  const heard = useRef(moved);
  heard.current = moved;
  useEffect(() => {
    const svg = attach.current;
    if (svg === null) return undefined;
    const observer = new ResizeObserver(() => {
      frame.value = { width: svg.clientWidth, height: svg.clientHeight };
    });
    observer.observe(svg);
    const wheel = (event: WheelEvent) => {
      event.preventDefault();
      heard.current();
      const { left, top } = svg.getBoundingClientRect();
      const at = { x: event.clientX - left, y: event.clientY - top };
      look.value = zoomed(look.value, 1.0015 ** -event.deltaY, at);
    };
    let held: { readonly x: number; readonly y: number; readonly look: Look } | undefined;
    const down = (event: PointerEvent) => {
      if (event.button !== 0 || (event.target as Element).closest('[role=button]') !== null) return;
      held = { x: event.clientX, y: event.clientY, look: look.value };
    };
    const move = (event: PointerEvent) => {
      if (held === undefined) return;
      const [dx, dy] = [event.clientX - held.x, event.clientY - held.y];
      if (Math.abs(dx) + Math.abs(dy) < 3) return;
      heard.current();
      look.value = { ...held.look, x: held.look.x + dx, y: held.look.y + dy };
    };
    const up = () => {
      held = undefined;
    };
    svg.addEventListener('wheel', wheel, { passive: false });
    svg.addEventListener('pointerdown', down);
    addEventListener('pointermove', move);
    addEventListener('pointerup', up);
    return () => {
      observer.disconnect();
      svg.removeEventListener('wheel', wheel);
      svg.removeEventListener('pointerdown', down);
      removeEventListener('pointermove', move);
      removeEventListener('pointerup', up);
    };
  }, [look, frame]);
  const zoom = (factor: number) => {
    heard.current();
    const { width, height } = frame.value;
    look.value = zoomed(look.value, factor, { x: width / 2, y: height / 2 });
  };
  return { look, frame, attach, zoom };
};
