/** What can be done to an actor: buttons, an editor for events with the memory of earlier ones, and a question before what destroys. */
import { signal } from '@preact/signals';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { ActorDetail, Command, CommandName, EnabledEvent, Fault } from '../protocol.ts';
import { enabledCommands, give, remember, sentBefore } from './commanding.ts';
import { readEvent } from './event-text.ts';
import { hello } from './store.ts';

interface Deed {
  readonly name: CommandName;
  readonly word: string;
  /** Why one might not want it: asked before it is done. */
  readonly ask?: string;
  readonly fits: (detail: ActorDetail) => boolean;
}

const always = (): boolean => true;
const isBreaker = ({ breaker }: ActorDetail): boolean => breaker !== undefined;
const lives = ({ row }: ActorDetail): boolean => row.incarnation !== undefined;
const isPaused = ({ mailbox }: ActorDetail): boolean => mailbox.paused;

const DEEDS: readonly Deed[] = [
  { name: 'pause', word: 'Pause', fits: (detail) => lives(detail) && !isPaused(detail) },
  { name: 'resume', word: 'Resume', fits: isPaused },
  {
    name: 'isolate',
    word: 'Isolate',
    ask: 'All calls through this breaker are refused until it is released.',
    fits: isBreaker,
  },
  { name: 'release', word: 'Release', fits: isBreaker },
  { name: 'reset', word: 'Reset', fits: isBreaker },
  {
    name: 'drain',
    word: 'Drain',
    ask: 'It takes no new jobs and ends when those it has are done.',
    fits: ({ pool }) => pool !== undefined,
  },
  {
    name: 'restart',
    word: 'Restart',
    ask: 'It is ended in order and started again; its state and the mail that waits are lost.',
    fits: always,
  },
  { name: 'stop', word: 'Stop', ask: 'Its supervisor does not start it again.', fits: lives },
  { name: 'kill', word: 'Kill', ask: 'It ends at once and cleans nothing up.', fits: lives },
];

/** What is asked before it is done. */
const question = signal<
  { readonly command: Command; readonly word: string; readonly why: string } | undefined
>(undefined);
const editing = signal<{ readonly detail: ActorDetail; readonly text: string } | undefined>(undefined);

const aimAt = ({ path, row }: ActorDetail) => ({
  path,
  ...(row.incarnation === undefined ? {} : { incarnation: row.incarnation }),
});

export const sendBare = (detail: ActorDetail, type: string): void => {
  remember(JSON.stringify({ type }));
  void give({ ...aimAt(detail), do: 'send', event: { type } });
};

export const editEvent = (detail: ActorDetail, type = ''): void => {
  editing.value = { detail, text: JSON.stringify({ type }, null, 2) };
};

const perform = (detail: ActorDetail, { name, word, ask }: Deed): void => {
  const command = { ...aimAt(detail), do: name } as Command;
  if (ask === undefined) void give(command);
  else question.value = { command, word, why: ask };
};

const FAULTS: Readonly<Record<Fault['kind'], string>> = {
  throw: 'throw on the next message',
  delay: 'wait 1 s before each of the next 10',
  drop: 'lose the next 10 messages',
};

const faultOf = (kind: Fault['kind']): Fault => {
  if (kind === 'delay') return { kind, messages: 10, delayMs: 1_000 };
  return { kind, messages: kind === 'throw' ? 1 : 10 };
};

const FaultMenu = ({ detail }: { readonly detail: ActorDetail }) => (
  <select
    aria-label="Inject a fault"
    value=""
    onChange={({ currentTarget }) => {
      const kind = currentTarget.value as Fault['kind'] | '';
      currentTarget.value = '';
      if (kind === '') return;
      const command: Command = { ...aimAt(detail), do: 'fault', fault: faultOf(kind) };
      question.value = { command, word: `Fault: ${kind}`, why: `It will ${FAULTS[kind]}.` };
    }}
  >
    <option value="">Fault…</option>
    {Object.entries(FAULTS).map(([kind, words]) => (
      <option key={kind} value={kind}>
        {words}
      </option>
    ))}
  </select>
);

export const CommandBar = ({ detail }: { readonly detail: ActorDetail }) => {
  const enabled = enabledCommands.value;
  if (enabled.size === 0)
    return (
      <p class="read-only faint" title={hello.value?.readOnly}>
        read-only
      </p>
    );
  return (
    <div class="commands" role="toolbar" aria-label="Commands">
      {enabled.has('send') && lives(detail) ? (
        <button type="button" onClick={() => editEvent(detail)}>
          Send…
        </button>
      ) : null}
      {DEEDS.filter(({ name, fits }) => enabled.has(name) && fits(detail)).map((deed) => (
        <button
          type="button"
          key={deed.name}
          class={deed.ask === undefined ? '' : 'danger'}
          onClick={() => perform(detail, deed)}
        >
          {deed.word}
        </button>
      ))}
      {enabled.has('fault') && lives(detail) ? <FaultMenu detail={detail} /> : null}
      {enabled.has('clear_fault') && detail.fault !== undefined ? (
        <button type="button" onClick={() => void give({ ...aimAt(detail), do: 'clear_fault' })}>
          Clear fault
        </button>
      ) : null}
    </div>
  );
};

/** Events that would do something now. */
export const Events = ({ detail }: { readonly detail: ActorDetail }) => {
  const events = detail.chart?.enabled ?? [];
  if (events.length === 0) return null;
  const maySend = enabledCommands.value.has('send');
  return (
    <div class="events">
      <span class="faint">takes now</span>
      {events.map((event) => (
        <EventChip key={event.type} event={event} detail={detail} maySend={maySend} />
      ))}
    </div>
  );
};

const PASSES: Readonly<Record<EnabledEvent['passes'], string>> = {
  yes: '',
  no: 'its guard says no to the bare event',
  unknown: 'its guard reads more than the type of the event',
};

const EventChip = ({
  event,
  detail,
  maySend,
}: {
  readonly event: EnabledEvent;
  readonly detail: ActorDetail;
  readonly maySend: boolean;
}) => {
  const { type, passes, description, sendable } = event;
  const words = [description, PASSES[passes]].filter((part) => part !== undefined && part !== '').join('. ');
  const name = type.replace(/^xstate\.(after|done|error)\..*$/, '$1');
  const sign = passes === 'no' ? ' ⊘' : passes === 'unknown' ? ' ?' : '';
  if (!maySend || !sendable)
    return (
      <span class="event" title={words || 'sent by timers, invocations or troupe itself'}>
        {name}
        {sign}
      </span>
    );
  return (
    <button
      type="button"
      class="event sends"
      data-event={type}
      title={`${words}${words === '' ? '' : '. '}Click sends { type }, with Shift the editor opens.`}
      onClick={({ shiftKey }) =>
        shiftKey || passes === 'unknown' ? editEvent(detail, type) : sendBare(detail, type)
      }
    >
      {name}
      {sign}
    </button>
  );
};

// ── dialogs ─────────────────────────────────────────────────────────────────────────────────────────────

/** Opens itself as a modal, so that the keyboard stays inside and Escape closes it. */
const useModal = () => {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    dialog.current?.showModal();
  }, []);
  return dialog;
};

const Question = ({ asked }: { readonly asked: NonNullable<typeof question.value> }) => {
  const { command, word, why } = asked;
  const dialog = useModal();
  const close = () => {
    question.value = undefined;
  };
  return (
    <dialog ref={dialog} class="dialog" onClose={close} aria-label={word}>
      <h2>{word}?</h2>
      <p class="mono">{command.path}</p>
      <p>{why}</p>
      <footer>
        <button type="button" onClick={close}>
          Leave it
        </button>
        <button
          type="button"
          class="danger"
          onClick={() => {
            close();
            void give(command);
          }}
        >
          {word}
        </button>
      </footer>
    </dialog>
  );
};

/** What was sent from this tab before. */
const Before = ({ write }: { readonly write: (text: string) => void }) =>
  sentBefore.value.length === 0 ? null : (
    <details>
      <summary>Sent before</summary>
      {sentBefore.value.map((json) => (
        <button
          type="button"
          class="link"
          key={json}
          onClick={() => write(JSON.stringify(JSON.parse(json), null, 2))}
        >
          {json}
        </button>
      ))}
    </details>
  );

const Editor = ({ detail, first }: { readonly detail: ActorDetail; readonly first: string }) => {
  const dialog = useModal();
  const [text, write] = useState(first);
  const read = readEvent(text);
  const known = (detail.chart?.enabled ?? []).filter(({ sendable }) => sendable);
  const close = () => {
    editing.value = undefined;
  };
  const send = () => {
    if (typeof read === 'string') return;
    remember(JSON.stringify(read));
    close();
    void give({ ...aimAt(detail), do: 'send', event: read });
  };
  return (
    <dialog ref={dialog} class="dialog editor" onClose={close} aria-label="Send an event">
      <h2>
        Send to <span class="mono">{detail.path}</span>
      </h2>
      {known.length === 0 ? null : (
        <p class="events">
          {known.map(({ type }) => (
            <button
              type="button"
              class="event"
              key={type}
              onClick={() => write(JSON.stringify({ type }, null, 2))}
            >
              {type}
            </button>
          ))}
        </p>
      )}
      <textarea
        rows={9}
        spellcheck={false}
        aria-label="The event as JSON"
        value={text}
        onInput={({ currentTarget }) => write(currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) send();
        }}
      />
      <p class={typeof read === 'string' ? 'misread' : 'faint'}>
        {typeof read === 'string' ? read : 'Ctrl + Enter sends it'}
      </p>
      <Before write={write} />
      <footer>
        <button type="button" onClick={close}>
          Close
        </button>
        <button type="button" class="primary" disabled={typeof read === 'string'} onClick={send}>
          Send
        </button>
      </footer>
    </dialog>
  );
};

export const Dialogs = () => (
  <>
    {question.value === undefined ? null : <Question asked={question.value} />}
    {editing.value === undefined ? null : <Editor detail={editing.value.detail} first={editing.value.text} />}
  </>
);
