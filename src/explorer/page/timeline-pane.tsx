/** The timeline: swim lanes of what happened to whom, or the sequence of messages between them; held still when one wants to read. */
import { signal } from '@preact/signals';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Fact, Message } from '../protocol.ts';
import { amend, go, place, toActor, toView } from './address.ts';
import { JsonView } from './json-view.tsx';
import { FactMark, toneOfFact } from './now-pane.tsx';
import { SequenceView } from './sequence-view.tsx';
import { facts, hello, isRecording, messages, missed, now } from './store.ts';
import { causesOf, type Lane, lanesOf, placeOf, type Span } from './timeline-model.ts';
import { idOf, parentOf, plural, showCount, showMs, showTime } from './words.ts';

/** What was there when it was held still. */
const held = signal<
  { readonly facts: readonly Fact[]; readonly messages: readonly Message[]; readonly at: number } | undefined
>(undefined);

const SPANS: readonly (readonly [word: string, ms: number])[] = [
  ['10 s', 10_000],
  ['1 min', 60_000],
  ['5 min', 300_000],
  ['all', Number.POSITIVE_INFINITY],
];
const LANES_SHOWN = 22;
const LANE_HEIGHT = 26;
const NAME_WIDTH = 170;

const hold = (): void => {
  held.value =
    held.value === undefined ? { facts: facts.value, messages: messages.value, at: now.value } : undefined;
};

export const FactLine = ({ fact }: { readonly fact: Fact }) => (
  <a class={`line ${fact.weight}`} href={toView('timeline', '', { fact: String(fact.n) })}>
    <span class="time">{showTime(fact.at, true)}</span>
    <FactMark type={fact.type} weight={fact.weight} />
    <span class="name">{idOf(placeOf(fact))}</span>
    <span class="text">{fact.text}</span>
  </a>
);

const Chosen = ({ fact, among }: { readonly fact: Fact; readonly among: readonly Fact[] }) => {
  const causes = causesOf(fact, among);
  const followers = among.filter(({ cause }) => cause === fact.n);
  return (
    <aside class="chosen card">
      <h3>
        <FactMark type={fact.type} weight={fact.weight} /> {fact.text}
        <button type="button" class="plain" aria-label="Close" onClick={() => amend({ fact: undefined })}>
          ×
        </button>
      </h3>
      <p class="faint">
        {showTime(fact.at, true)} · {fact.type} ·{' '}
        {fact.path === '' ? 'the process' : <a href={toActor(placeOf(fact))}>{placeOf(fact)}</a>}
      </p>
      {causes.length === 0 ? null : <h2>Because</h2>}
      {causes.map((one) => (
        <FactLine key={one.n} fact={one} />
      ))}
      {followers.length === 0 ? null : <h2>Led to</h2>}
      {followers.slice(0, 8).map((one) => (
        <FactLine key={one.n} fact={one} />
      ))}
      <JsonView value={fact.data} />
    </aside>
  );
};

const SHAPES: Readonly<Record<string, string>> = {
  bad: 'M0 -6.5 6.5 5.5H-6.5Z',
  wait: 'M0 -6 6 0 0 6 -6 0Z',
  good: 'M-5 0a5 5 0 1 0 10 0a5 5 0 1 0 -10 0',
  ending: 'M-4.5 -4.5h9v9h-9z',
  none: 'M-3 0a3 3 0 1 0 6 0a3 3 0 1 0 -6 0',
};

const Dot = ({ fact, x, y, isChosen }: { fact: Fact; x: number; y: number; isChosen: boolean }) => {
  const tone = toneOfFact(fact.type, fact.weight);
  return (
    <g
      class={`dot ${tone} ${isChosen ? 'chosen' : ''}`}
      transform={`translate(${x.toFixed(1)} ${y})`}
      role="button"
      tabindex={0}
      aria-label={fact.text}
      onClick={() => amend({ fact: String(fact.n) })}
      onKeyDown={(event) => {
        if (event.key === 'Enter') amend({ fact: String(fact.n) });
      }}
    >
      <title>{`${showTime(fact.at, true)} ${fact.text}`}</title>
      <path d={SHAPES[tone] ?? ''} />
    </g>
  );
};

const useWidth = () => {
  const box = useRef<HTMLDivElement>(null);
  const [width, set] = useState(800);
  useEffect(() => {
    const element = box.current;
    if (element === null) return undefined;
    const observer = new ResizeObserver(() => set(element.clientWidth));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return { box, width };
};

const Grid = ({ span, x, height }: { span: Span; x: (at: number) => number; height: number }) => {
  const stride = [1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 300_000, 900_000, 3_600_000].find(
    (ms) => (span.to - span.from) / ms <= 9,
  );
  const step = stride ?? 7_200_000;
  const first = Math.ceil(span.from / step) * step;
  const count = Math.max(0, Math.floor((span.to - first) / step) + 1);
  return (
    <g class="grid">
      {Array.from({ length: Math.min(count, 12) }, (_, i) => first + i * step).map((at) => (
        <g key={at}>
          <line x1={x(at)} x2={x(at)} y1="16" y2={height} />
          <text x={x(at)} y="11">
            {showTime(at)}
          </text>
        </g>
      ))}
    </g>
  );
};

interface LinksProps {
  readonly lanes: readonly Lane[];
  readonly x: (at: number) => number;
  readonly y: ReadonlyMap<string, number>;
  readonly chosen: Fact | undefined;
}

/** Lines from causes to what followed from them. */
const Links = ({ lanes, x, y, chosen }: LinksProps) => {
  const byNumber = new Map(lanes.flatMap((lane) => lane.facts.map((fact) => [fact.n, fact] as const)));
  const links = [...byNumber.values()].flatMap((fact) => {
    const cause = fact.cause === undefined ? undefined : byNumber.get(fact.cause);
    return cause === undefined ? [] : [{ fact, cause }];
  });
  return (
    <>
      {links.map(({ fact, cause }) => {
        const [x1, y1] = [x(cause.at), y.get(placeOf(cause)) ?? 0];
        const [x2, y2] = [x(fact.at), y.get(placeOf(fact)) ?? 0];
        const isNear = chosen !== undefined && (fact.n === chosen.n || cause.n === chosen.n);
        return (
          <path
            key={fact.n}
            class={`link-line ${isNear ? 'near' : ''}`}
            d={`M${x1} ${y1}C${x1 + 12} ${(y1 + y2) / 2} ${x2 - 12} ${(y1 + y2) / 2} ${x2} ${y2}`}
          />
        );
      })}
    </>
  );
};

const Swim = ({ lanes, span, chosen }: { lanes: readonly Lane[]; span: Span; chosen: Fact | undefined }) => {
  const { box, width } = useWidth();
  const inner = Math.max(100, width - NAME_WIDTH - 12);
  const x = (at: number) => NAME_WIDTH + ((at - span.from) / Math.max(1, span.to - span.from)) * inner;
  const y = new Map(lanes.map(({ path }, i) => [path, 32 + i * LANE_HEIGHT]));
  const height = 32 + lanes.length * LANE_HEIGHT;
  return (
    <div ref={box} class="swim">
      <svg width={width} height={height} role="group" aria-label="Swim lanes">
        <Grid span={span} x={x} height={height} />
        {lanes.map(({ path, messages: list }) => {
          const at = y.get(path) ?? 0;
          return (
            <g key={path} class="lane">
              <line x1={NAME_WIDTH} x2={width} y1={at} y2={at} />
              <a href={path === '' ? toView('metrics') : toActor(path)}>
                <text x="8" y={at + 4}>
                  <title>{path}</title>
                  {idOf(path) || 'the process'}
                  <tspan class="parent" dx="6">
                    {idOf(parentOf(path))}
                  </tspan>
                </text>
              </a>
              {list.map((message) => (
                <line
                  key={message.n}
                  class={`message ${message.outcome}`}
                  x1={x(message.sentAt)}
                  x2={x(message.sentAt)}
                  y1={at - 5}
                  y2={at + 5}
                >
                  <title>{`${message.name} from ${message.from?.path ?? 'outside'}`}</title>
                </line>
              ))}
            </g>
          );
        })}
        <Links lanes={lanes} x={x} y={y} chosen={chosen} />
        {lanes.flatMap((lane) =>
          lane.facts.map((fact) => (
            <Dot
              key={fact.n}
              fact={fact}
              x={x(fact.at)}
              y={y.get(lane.path) ?? 0}
              isChosen={fact.n === chosen?.n}
            />
          )),
        )}
      </svg>
    </div>
  );
};

const spanOf = (name: string | undefined, list: readonly Fact[], at: number): Span => {
  const fallback = isRecording.value ? 'all' : '1 min';
  const [, ms = 60_000] = SPANS.find(([word]) => word === (name ?? fallback)) ?? [];
  const first = list[0]?.at ?? at - 60_000;
  return { from: Number.isFinite(ms) ? at - ms : first - 500, to: at };
};

const Missing = () => {
  const { facts: f, messages: m } = missed.value;
  const sinceWhen = hello.value?.inspectingSince;
  return (
    <span class="faint">
      {isRecording.value
        ? 'a recording holds no messages'
        : sinceWhen === undefined
          ? 'messages are known from now on'
          : `messages are known since ${showTime(sinceWhen)}`}
      {f + m === 0 ? '' : ` · ${showCount(f)} facts and ${showCount(m)} messages are gone`}
    </span>
  );
};

const Tools = () => {
  const { more, path } = place.value;
  const view = more['as'] ?? 'lanes';
  return (
    <header class="tools">
      <fieldset class="choice" aria-label="As">
        {['lanes', 'sequence', 'list'].map((one) => (
          <button type="button" key={one} aria-pressed={view === one} onClick={() => amend({ as: one })}>
            {one}
          </button>
        ))}
      </fieldset>
      <fieldset class="choice" aria-label="Span">
        {SPANS.map(([word]) => (
          <button
            type="button"
            key={word}
            aria-pressed={(more['span'] ?? (isRecording.value ? 'all' : '1 min')) === word}
            onClick={() => amend({ span: word })}
          >
            {word}
          </button>
        ))}
      </fieldset>
      <button type="button" aria-pressed={held.value !== undefined} onClick={hold} title="Space">
        {held.value === undefined ? '❚❚ Hold still' : '▶ Go on'}
      </button>
      <label>
        below{' '}
        <input
          type="text"
          value={path}
          placeholder="the whole tree"
          aria-label="Only below this path"
          onChange={({ currentTarget }) => go(toView('timeline', currentTarget.value.trim(), more))}
        />
      </label>
      <Missing />
    </header>
  );
};

const List = ({ facts: list, below }: { readonly facts: readonly Fact[]; readonly below: string }) => (
  <div class="latest fact-list">
    {[...list]
      .reverse()
      .filter((fact) => below === '' || placeOf(fact).startsWith(below))
      .slice(0, 400)
      .map((fact) => (
        <FactLine key={fact.n} fact={fact} />
      ))}
  </div>
);

export const TimelinePane = () => {
  const { more, path } = place.value;
  const list = held.value?.facts ?? facts.value;
  const mail = held.value?.messages ?? messages.value;
  const at = held.value?.at ?? now.value;
  const wanted = Number(more['fact'] ?? Number.NaN);
  const chosen = list.find(({ n }) => n === wanted) ?? facts.value.find(({ n }) => n === wanted);
  const asked = spanOf(more['span'], list, at);
  // Whoever comes by an address to one fact has it in sight.
  const span = chosen !== undefined && chosen.at < asked.from ? { from: chosen.at - 2_000, to: at } : asked;
  const { lanes, more: hidden } = lanesOf(list, mail, { span, below: path, most: LANES_SHOWN });
  useEffect(() => {
    const space = (event: KeyboardEvent) => {
      const isTyping =
        event.target instanceof HTMLElement && /^(?:INPUT|TEXTAREA|BUTTON)$/.test(event.target.tagName);
      if (event.key !== ' ' || isTyping) return;
      event.preventDefault();
      hold();
    };
    addEventListener('keydown', space);
    return () => {
      removeEventListener('keydown', space);
      held.value = undefined;
    };
  }, []);
  const view = more['as'] ?? 'lanes';
  return (
    <div class="timeline">
      <Tools />
      <div class="timeline-body">
        {view === 'list' ? <List facts={list} below={path} /> : null}
        {view === 'sequence' ? <SequenceView facts={list} messages={mail} below={path} /> : null}
        {view === 'lanes' ? <Swim lanes={lanes} span={span} chosen={chosen} /> : null}
        {view === 'lanes' && lanes.length === 0 ? (
          <p class="empty">Nothing happened here in this span.</p>
        ) : null}
        {view === 'lanes' && hidden > 0 ? (
          <p class="faint hidden-lanes">{plural(hidden, 'lane')} with less to tell: narrow it with a path.</p>
        ) : null}
      </div>
      {chosen === undefined ? (
        <p class="timeline-foot faint">
          ▲ trouble · ◆ waits · ● well again · ■ ends · | message · lines lead from cause to effect ·{' '}
          {showMs(span.to - span.from)}
        </p>
      ) : (
        <Chosen fact={chosen} among={list} />
      )}
    </div>
  );
};
