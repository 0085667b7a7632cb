/** Small pictures of figures: a line over time, bars, a histogram. Drawn by hand; the newest is at the right. */
import type { Histogram } from '../protocol.ts';
import { quantile, showCount, showMs } from './words.ts';

export interface SparklineProps {
  readonly values: readonly (number | undefined)[];
  readonly width: number;
  readonly height: number;
  readonly kind?: 'line' | 'bars';
  /** What a full line of values holds: fewer stand at the right. */
  readonly length?: number;
  readonly label?: string;
}

export const Sparkline = ({
  values,
  width,
  height,
  kind = 'line',
  length = 120,
  label = 'over time',
}: SparklineProps) => {
  const known = values.map((value) => value ?? 0);
  const top = Math.max(1e-9, ...known);
  const stepX = width / Math.max(1, length - 1);
  const left = width - (known.length - 1) * stepX;
  const y = (value: number) => height - 1 - (value / top) * (height - 3);
  const points = known.map((value, i) => `${(left + i * stepX).toFixed(1)},${y(value).toFixed(1)}`);
  return (
    <svg
      class="sparkline"
      viewBox={`0 0 ${width} ${height}`}
      width={width}
      height={height}
      preserveAspectRatio="none"
      role="img"
      aria-label={label}
    >
      <title>{label}</title>
      <line x1="0" x2={width} y1={height - 1} y2={height - 1} class="base" />
      {kind === 'bars' ? (
        known.map((value, i) =>
          value > 0 ? (
            <rect
              key={`${i - known.length}`}
              x={left + i * stepX - 1}
              width={Math.max(1.5, stepX)}
              y={y(value)}
              height={height - 1 - y(value)}
              class="bar"
            />
          ) : null,
        )
      ) : known.length > 1 ? (
        <>
          <polygon points={`${left},${height - 1} ${points.join(' ')} ${width},${height - 1}`} class="area" />
          <polyline points={points.join(' ')} class="line" />
        </>
      ) : null}
    </svg>
  );
};

const nameOfEdge = (edge: number | undefined, { edges }: Histogram): string => {
  if (edge === undefined) return '–';
  return Number.isFinite(edge) ? `≤ ${showMs(edge)}` : `> ${showMs(edges.at(-1) ?? 0)}`;
};

const summaryOf = (of: Histogram): string => {
  if (of.count === 0) return 'none yet';
  const [p50, p99] = [quantile(of, 0.5), quantile(of, 0.99)];
  const mean = showMs(of.sum / of.count);
  const parts = [`median ${nameOfEdge(p50, of)}`, `99 % ${nameOfEdge(p99, of)}`, `mean ${mean}`];
  return [showCount(of.count), ...parts].join(' · ');
};

/** How long something took, as bars over edges that grow; the median and the 99th are named. */
export const Durations = ({ of, title }: { readonly of: Histogram; readonly title: string }) => {
  const last = of.counts.reduce((found, n, i) => (n > 0 ? i : found), 0);
  const first = Math.max(
    0,
    of.counts.findIndex((n) => n > 0),
  );
  const shown = of.counts.slice(first, last + 1);
  const top = Math.max(1, ...shown);
  const name = (edge: number | undefined) => nameOfEdge(edge, of);
  return (
    <figure class="durations">
      <figcaption>
        <b>{title}</b>
        <span class="faint">{summaryOf(of)}</span>
      </figcaption>
      {of.count === 0 ? null : (
        <div class="bars">
          {shown.map((n, i) => (
            <div
              key={of.edges[first + i] ?? 'beyond'}
              class="bar"
              title={`${name(of.edges[first + i])}: ${n}`}
            >
              <i style={{ height: `${(n / top) * 100}%` }} />
              <span>{of.edges[first + i] === undefined ? '∞' : showMs(of.edges[first + i] ?? 0)}</span>
            </div>
          ))}
        </div>
      )}
    </figure>
  );
};
