/** Recoveries: what each is mending, with which remedy, its steps, and what is left of its budget. */
import type { RecoveryEntry, RecoveryView } from '../protocol.ts';
import { toActor } from './address.ts';
import { Mark, toneOfWord } from './shapes.tsx';
import { isRecording, recoveries } from './store.ts';
import { idOf, plain, showCount, showMs, showTime } from './words.ts';

const Steps = ({ of: { steps } }: { readonly of: RecoveryEntry }) => (
  <ol class="steps">
    {steps.map(({ name, outcome, at }) => (
      <li key={`${name} ${at}`} title={showTime(at, true)}>
        <Mark tone={toneOfStep(outcome)} /> {name} <span class="faint">{plain(outcome)}</span>
      </li>
    ))}
  </ol>
);

const STEP_TONES: Readonly<Record<string, 'good' | 'bad' | 'busy'>> = {
  done: 'good',
  succeeded: 'good',
  ok: 'good',
  failed: 'bad',
  running: 'busy',
};
const toneOfStep = (outcome: string) => STEP_TONES[outcome] ?? toneOfWord(outcome);

const Entry = ({ of }: { readonly of: RecoveryEntry }) => {
  const { id, subject, state, category, severity, remedy, outcome, budgetMs, leftMs, error, startedAt } = of;
  return (
    <article class={`recovery ${outcome ?? 'active'}`}>
      <header class="card-head">
        <Mark tone={outcome === undefined ? 'busy' : toneOfWord(outcome)} />
        <a href={toActor(subject)} title={subject}>
          <b>{idOf(subject)}</b>
        </a>
        <span>
          {plain(category)}, {plain(severity)} → <b>{plain(remedy)}</b>
        </span>
        <span class="faint">
          {outcome === undefined ? plain(state) : plain(outcome)} · {showTime(startedAt)} · {id}
        </span>
        {budgetMs === undefined || leftMs === undefined ? null : (
          <span class="push budget">
            <progress value={Math.max(0, leftMs)} max={budgetMs} aria-label="budget left" />
            {showMs(Math.max(0, leftMs))} of {showMs(budgetMs)} left
          </span>
        )}
      </header>
      {error === undefined ? null : (
        <p class="mono why">
          {error.code === undefined ? '' : `${error.code} `}
          {error.message}
        </p>
      )}
      {of.steps.length === 0 ? null : <Steps of={of} />}
    </article>
  );
};

export const RecoveryCard = ({ of }: { readonly of: RecoveryView }) => (
  <section class="card">
    <header class="card-head">
      <a href={toActor(of.path)} title={of.path}>
        <b>{idOf(of.path)}</b>
      </a>
      <span class="counts">
        {Object.entries(of.counts)
          .filter(([, n]) => n > 0)
          .map(([name, n]) => (
            <span key={name}>
              {name.replace(/([A-Z])/g, ' $1').toLowerCase()} <b>{showCount(n)}</b>
            </span>
          ))}
      </span>
    </header>
    <h2>Under way</h2>
    {of.active.length === 0 ? <p class="faint">nothing is being mended</p> : null}
    {of.active.map((entry) => (
      <Entry key={entry.id} of={entry} />
    ))}
    {of.stragglers.length === 0 ? null : (
      <p class="misread">Remedies that outlived their budget still run: {of.stragglers.join(', ')}</p>
    )}
    <h2>Before</h2>
    {of.recent.length === 0 ? <p class="faint">nothing has been mended yet</p> : null}
    {of.recent.slice(0, 30).map((entry) => (
      <Entry key={entry.id} of={entry} />
    ))}
  </section>
);

export const RecoveriesPane = () => (
  <div class="pane">
    {recoveries.value.length === 0 ? (
      <p class="empty">
        {isRecording.value ? 'This recording has no recovery.' : 'This system has no recovery.'}
      </p>
    ) : null}
    {recoveries.value.map((one) => (
      <RecoveryCard key={one.path} of={one} />
    ))}
  </div>
);
