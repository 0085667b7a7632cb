/**
 * What the explorer's server and its viewers (the page, `troupe top`, bridges) say to each other. Types, and the few
 * numbers that both sides must share; nothing here runs, and it imports types only, so that a page can import it.
 *
 * ## The doors, all below the mount point
 *
 * | request | answer |
 * |---|---|
 * | `GET  ./` | the page; its assets beside it. They hold nothing secret and need no token |
 * | `GET  ./api/v1/hello` | {@link Hello} |
 * | `GET  ./api/v1/stream?facts=N&messages=N&steps=N` | `text/event-stream` of {@link Frame}s |
 * | `POST ./api/v1/watch` {@link WatchRequest} | {@link WatchAnswer}: changes what a stream shows |
 * | `GET  ./api/v1/tree?query=…&from=0&count=200` | {@link TreeWindow}; `collapsed=` and `opened=` may be repeated |
 * | `GET  ./api/v1/actor?path=…` | {@link ActorDetail} |
 * | `GET  ./api/v1/chart?machine=…` | {@link ChartDefinition} |
 * | `GET  ./api/v1/history?path=…&incarnation=N` | {@link History} |
 * | `GET  ./api/v1/recording` | {@link Recording}: the flight recorder, as it would be written to a file |
 * | `POST ./api/v1/command` {@link Command} | {@link CommandAnswer} |
 *
 * Everything below `api/` needs `Authorization: Bearer <token>` where {@link Hello.authorised} would otherwise be refused with
 * 401. Bodies are JSON (`content-type: application/json`), at most {@link LIMITS.bodyBytes}. Every refusal is a {@link Refusal}
 * with its HTTP status. A page learns its token from the fragment of its own address, `#token=…`: it keeps it in memory (or
 * `sessionStorage`), takes it out of the address, and never puts it into a query.
 *
 * ## The stream
 *
 * A frame is one server-sent event: `id: <seq>`, `event: <type>`, `data: <JSON of the frame>`. A line that begins with `:` is a
 * heartbeat, at least every {@link LIMITS.heartbeatMs}; a stream silent for three times that is lost.
 * The first frame is `hello`. It names the stream; name it in turn in `POST watch`. A stream begins by showing what
 * {@link DEFAULT_WATCH} says, and `facts` from the flight recorder.
 *
 * There are two kinds of frames:
 * - *Standings* (`tree`, `actor`, `supervision`, `breakers`, `pools`, `recoveries`, `application`, `metrics`) say how things
 *   are now. A newer one replaces the one before it; only the newest is kept for a slow reader. They come when
 *   something has changed, at most every {@link Hello.refreshMs}.
 * - *Journals* (`facts`, `messages`, `steps`) are lists whose entries are numbered (`n`) through the whole life of the recorder,
 *   each kind by itself. They are kept in bounded rings.
 *
 * Nothing is queued for a viewer: a frame is made when the connection can take it. A slow reader so costs the server one frame's
 * memory; of standings it gets the newest, of journals what the rings still hold, and a `gap` frame that counts what they
 * do not. `seq` grows by one from frame to frame of a stream; a hole in it means that something between the two
 * has lost frames: open a new stream. To come back after a lost connection open a new stream with
 * `?facts=<last n + 1>&messages=<last n + 1>&steps=<last n + 1>`: journals go on from there, a `gap` counts what is gone.
 * A stream whose reader takes nothing for {@link LIMITS.stallMs} is ended. A viewer must refuse a `version` that it does not know.
 *
 * All instants are ms of the wall clock (`Date.now()`) of the observed process; all durations are ms. Actor names, states and
 * payloads are data of the observed program: show them as text, never as markup.
 */

import type { ActorDetail, ChartDefinition, Fact, Message, Step } from './actor-view.ts';
import type {
  ApplicationView,
  BreakerView,
  Metrics,
  PoolView,
  RecoveryView,
  SupervisorView,
} from './component-view.ts';
import type { Json, TreeQuery, TreeRow, TreeWindow } from './tree-view.ts';

export type * from './actor-view.ts';
export type * from './component-view.ts';
export type * from './tree-view.ts';

/** Changed whenever a viewer of the version before would misread something. Additions do not change it. */
export const PROTOCOL_VERSION = 1;

/** Limits that both sides rely on. */
export const LIMITS = Object.freeze({
  /** Bytes of a request's body; beyond: 413. */
  bodyBytes: 64 * 1_024,
  /** Rows of one {@link TreeWindow}. */
  windowRows: 500,
  /** Actors whose {@link ActorDetail} one stream may watch. */
  watchedActors: 4,
  /** Siblings alike beyond which they are shown as one group. */
  groupOver: 200,
  /** How long an actor that has ended stays in the tree, ms. */
  tombstoneMs: 30_000,
  /** Facts kept by the flight recorder. */
  facts: 1_000,
  /** Messages kept while anyone watches. */
  messages: 2_000,
  /** Steps kept of one chart. */
  steps: 200,
  /** Silence on a stream before a heartbeat, ms. */
  heartbeatMs: 5_000,
  /** Entries of a journal in one frame. */
  journalEntries: 200,
  /** What a stalled reader may cost, bytes: one frame, beside what the sockets hold. */
  outboxBytes: 1_024 * 1_024,
  /** How long a reader may take nothing before its stream is ended, ms. */
  stallMs: 60_000,
  /** Streams at once; beyond: 429. */
  streams: 16,
  /** Characters of one value in a snapshot, depth and entries of an object; beyond it says so in its text. */
  valueCharacters: 2_000,
  valueDepth: 8,
  valueEntries: 200,
});

// ── hello ───────────────────────────────────────────────────────────────────────────────────────────────

/** What a viewer is told first. */
export interface Hello {
  readonly version: number;
  /** troupe's own version. */
  readonly troupe: string;
  /** `live`: a running process. `recording`: a file; nothing changes, and there are no commands. */
  readonly source: 'live' | 'recording';
  /** The id of the root of the tree. */
  readonly name: string;
  readonly pid: number | undefined;
  readonly node: string;
  /** When the observed system began, and the server's clock at this frame: clocks of viewers differ. */
  readonly startedAt: number;
  readonly at: number;
  /** Since when messages and steps are known: the first viewer's coming. Facts are known since `startedAt`, or since the ring. */
  readonly inspectingSince: number | undefined;
  /** Names this stream in `watch`; absent in the answer of `GET hello`. */
  readonly stream?: string;
  /** Whether a token was asked for and given. */
  readonly authorised: boolean;
  /** Commands that this viewer may give; empty where the explorer is read-only. */
  readonly commands: readonly CommandName[];
  /** Why there are none, in words for people; absent where there are. */
  readonly readOnly?: string;
  /** The shortest time between two frames of the same standing, ms. */
  readonly refreshMs: number;
  readonly limits: typeof LIMITS;
}

// ── watching ────────────────────────────────────────────────────────────────────────────────────────────

/** What a stream shows. Every part of it replaces what was asked before; what is absent stays as it was. */
export interface Watch {
  readonly tree?: TreeQuery | false;
  /** Paths of actors whose {@link ActorDetail} is wanted, at most {@link LIMITS.watchedActors}. */
  readonly actors?: readonly string[];
  /** Facts about this place and what stands below it; `''` is everything. */
  readonly facts?: JournalQuery | false;
  /** Messages from, to or within this part of the tree. */
  readonly messages?: JournalQuery | false;
  /** Steps of charts: `true`: of the watched actors; or of all in a part of the tree, as far as they are known. */
  readonly steps?: boolean | JournalQuery;
  readonly supervision?: boolean;
  readonly breakers?: boolean;
  readonly pools?: boolean;
  readonly recoveries?: boolean;
  readonly application?: boolean;
  readonly metrics?: boolean;
}

/** What a new stream shows: the first {@link DEFAULT_WINDOW_ROWS} rows of the tree, all facts, metrics, the phases. */
export const DEFAULT_WINDOW_ROWS = 100;
export const DEFAULT_WATCH: Watch = Object.freeze({
  tree: Object.freeze({ query: '', from: 0, count: DEFAULT_WINDOW_ROWS }),
  actors: Object.freeze([]),
  facts: Object.freeze({ below: '' }),
  messages: false,
  steps: false,
  supervision: false,
  breakers: false,
  pools: false,
  recoveries: false,
  application: true,
  metrics: true,
});

export interface JournalQuery {
  /** A path: entries about it and what stands below it. `''`: all. */
  readonly below: string;
}

export interface WatchRequest {
  /** {@link Hello.stream}. Unknown or ended: 404, open a new stream. */
  readonly stream: string;
  readonly watch: Watch;
}

export interface WatchAnswer {
  readonly watch: Watch;
}

// ── frames ──────────────────────────────────────────────────────────────────────────────────────────────

interface FrameOf<T extends string, B> {
  readonly type: T;
  /** One more than that of the frame before it on this stream. */
  readonly seq: number;
  readonly body: B;
}

/** Standings come whole: each replaces the one before it (`actor`: the one of the same path). */
export type Frame =
  | FrameOf<'hello', Hello>
  | FrameOf<'definition', ChartDefinition>
  | FrameOf<'tree', TreeWindow>
  /** `undefined` detail: nothing is known of that path any more. */
  | FrameOf<'actor', { readonly path: string; readonly detail?: ActorDetail }>
  | FrameOf<'supervision', { readonly supervisors: readonly SupervisorView[] }>
  | FrameOf<'breakers', { readonly breakers: readonly BreakerView[] }>
  | FrameOf<'pools', { readonly pools: readonly PoolView[] }>
  | FrameOf<'recoveries', { readonly recoveries: readonly RecoveryView[] }>
  | FrameOf<'application', ApplicationView>
  | FrameOf<'metrics', Metrics>
  | FrameOf<'facts', { readonly facts: readonly Fact[] }>
  | FrameOf<'messages', { readonly messages: readonly Message[] }>
  | FrameOf<'steps', { readonly steps: readonly Step[] }>
  | FrameOf<'gap', Gap>
  /** The last one: the explorer stops. Reconnecting may meet a new process. */
  | FrameOf<'bye', { readonly why: string }>;

export type FrameType = Frame['type'];

/** Entries of journals that are gone before this viewer could take them. */
export interface Gap {
  /** `slow_reader`: the rings have moved on while it took nothing. `forgotten`: they had before it came. */
  readonly why: 'slow_reader' | 'forgotten';
  readonly facts: number;
  readonly messages: number;
  readonly steps: number;
}

// ── commands ────────────────────────────────────────────────────────────────────────────────────────────

/** What a fault does to an actor; it ends by itself after `messages` messages, or by `clear_fault`. */
export type Fault =
  /** Its handler throws in place of handling the next message. */
  | { readonly kind: 'throw'; readonly messages: number }
  /** Each of the next messages waits so long, those behind it as well. At most 60,000 ms. */
  | { readonly kind: 'delay'; readonly messages: number; readonly delayMs: number }
  /** The next tells and calls are lost; calls are told so. */
  | { readonly kind: 'drop'; readonly messages: number };

interface Aimed {
  readonly path: string;
  /** Refused (409) when another incarnation lives there by then. Absent: whoever lives there. */
  readonly incarnation?: number;
}

export type Command = Aimed &
  (
    | { readonly do: 'send'; readonly event: { readonly type: string; readonly [key: string]: Json } }
    /** Ends it in order. Its supervisor does not start it again. */
    | { readonly do: 'stop' }
    /** Ends it at once. What its supervisor does then is its supervisor's business. */
    | { readonly do: 'kill' }
    /** Ends it in order and starts it again; starts one that was stopped. */
    | { readonly do: 'restart' }
    /** Holds back its mail until `resume`. */
    | { readonly do: 'pause' }
    | { readonly do: 'resume' }
    /** Refuses all calls through a breaker until `release`. */
    | { readonly do: 'isolate' }
    | { readonly do: 'release' }
    | { readonly do: 'reset' }
    /** Lets a pool take nothing new and finish; it opens again with `restart`. */
    | { readonly do: 'drain'; readonly timeoutMs?: number }
    | { readonly do: 'fault'; readonly fault: Fault }
    | { readonly do: 'clear_fault' }
  );

export type CommandName = Command['do'];

/** What came of a command. It was noted in the audit log before it was tried, with its `audit` number. */
export interface CommandAnswer {
  readonly audit: number;
  readonly done: true;
  /** In words: `sent`, `already stopped`, `told to stop`. */
  readonly outcome: string;
}

/** Why a request was refused. */
export interface Refusal {
  readonly error: {
    /** `unauthorised` 401 · `host`, `origin`, `read_only` 403 · `unknown` 404 · `method` 405 · `incarnation`, `state` 409 ·
     * `too_large` 413 · `content_type` 415 · `invalid` 422 · `too_many` 429 · `failed` 500. */
    readonly code:
      | 'unauthorised'
      | 'host'
      | 'origin'
      | 'read_only'
      | 'unknown'
      | 'method'
      | 'incarnation'
      | 'state'
      | 'too_large'
      | 'content_type'
      | 'invalid'
      | 'too_many'
      | 'failed';
    readonly message: string;
  };
}

// ── recordings ──────────────────────────────────────────────────────────────────────────────────────────

/** The flight recorder's file, and a replayed simulation: JSON. The explorer opens either in the same views. */
export interface Recording {
  readonly troupeRecording: 1;
  readonly node: string;
  readonly name: string;
  readonly pid: number | undefined;
  /** `gave_up`, `forced_exit`, `asked` (a viewer saved it), `simulation`. */
  readonly why: 'gave_up' | 'forced_exit' | 'asked' | 'simulation';
  readonly startedAt: number;
  readonly writtenAt: number;
  /** Oldest first; how many the ring had forgotten. */
  readonly facts: readonly Fact[];
  readonly forgotten: number;
  readonly counters: Readonly<Record<string, number>>;
  /** The tree when it was written. */
  readonly tree: readonly RecordedNode[];
  /** The charts of the observed program that `tree` names, where they were known; troupe's own are known anyway. */
  readonly definitions?: readonly ChartDefinition[];
  /** What charts did. A file has none: whoever opens it recalls from its facts what they tell. */
  readonly steps?: readonly Step[];
  readonly simulation?: { readonly scenario: string; readonly property: string; readonly error: string };
}

export interface RecordedNode
  extends Pick<
    TreeRow,
    'path' | 'id' | 'kind' | 'status' | 'incarnation' | 'restart' | 'state' | 'machine' | 'facts'
  > {
  readonly mailbox: number;
  readonly children: readonly RecordedNode[];
}
