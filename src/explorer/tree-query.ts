/**
 * The query of a tree: words that must all hold. Read once, asked of each actor.
 *
 * Invariant: no regular expression of a user's is ever run; matching a word costs time linear in the text.
 */

/** What a query is asked about. */
export interface Queried {
  readonly path: string;
  readonly kind: string;
  readonly status: string;
  readonly state: string;
  readonly description: string | undefined;
  readonly mailbox: number;
  readonly restarts: number;
  readonly children: number;
}

export type Matcher = (actor: Queried) => boolean;

export interface ReadQuery {
  /** `undefined`: everything matches. */
  readonly matches: Matcher | undefined;
  /** Why it was not understood; then everything matches. */
  readonly misread?: string;
}

/** Words of one query. Owner: the server, which asks them of every actor. */
const MOST_WORDS = 20;
const LONGEST_QUERY = 500;

const FIGURES: Readonly<Record<string, (actor: Queried) => number>> = {
  mailbox: ({ mailbox }) => mailbox,
  restarts: ({ restarts }) => restarts,
  children: ({ children }) => children,
};

/** Splits at spaces outside of quotes, and takes the quotes away. */
const wordsOf = (query: string): readonly string[] => {
  const words: string[] = [];
  let word = '';
  let quoted = false;
  for (const character of query) {
    if (character === '"') quoted = !quoted;
    else if (character === ' ' && !quoted) {
      if (word !== '') words.push(word);
      word = '';
    } else word += character;
  }
  if (word !== '') words.push(word);
  return words;
};

/** Whether the parts of a pattern between its `*` come one after the other, none of the gaps holding a `/`. */
const holdsPattern = (text: string, pattern: string): boolean => {
  const parts = pattern.split('*');
  const first = parts[0] ?? '';
  let from = text.indexOf(first);
  while (from >= 0) {
    let at = from + first.length;
    let fits = true;
    for (const part of parts.slice(1)) {
      const next = text.indexOf(part, at);
      if (next < 0 || text.slice(at, next).includes('/')) {
        fits = false;
        break;
      }
      at = next + part.length;
    }
    if (fits) return true;
    from = text.indexOf(first, from + 1);
  }
  return false;
};

const figureMatcher = (name: string, sign: string, figure: number): Matcher => {
  const read = FIGURES[name] as (actor: Queried) => number;
  if (sign === '>') return (actor) => read(actor) > figure;
  return sign === '<' ? (actor) => read(actor) < figure : (actor) => read(actor) === figure;
};

const fieldMatcher = (field: string, wanted: string): Matcher | undefined => {
  switch (field) {
    case 'path':
      return ({ path }) => holdsPattern(path.toLowerCase(), wanted);
    case 'state':
      return ({ state }) => state.toLowerCase().includes(wanted);
    case 'status':
      return ({ status }) => status === wanted;
    case 'kind':
      return ({ kind }) => kind === wanted;
    default:
      return undefined;
  }
};

const anywhere =
  (wanted: string): Matcher =>
  ({ path, state, kind, description }) =>
    path.toLowerCase().includes(wanted) ||
    state.toLowerCase().includes(wanted) ||
    kind.includes(wanted) ||
    description?.toLowerCase().includes(wanted) === true;

const matcherOf = (word: string): Matcher | string => {
  const figure = /^(mailbox|restarts|children)([<>=])(\d{1,9})$/.exec(word);
  if (figure !== null) return figureMatcher(figure[1] as string, figure[2] as string, Number(figure[3]));
  if (/^(mailbox|restarts|children)[<>=]/.test(word)) return `${word}: a whole number must follow`;
  const colon = word.indexOf(':');
  const wanted = word.slice(colon + 1).toLowerCase();
  if (colon <= 0) return anywhere(word.toLowerCase());
  if (wanted === '') return `${word} needs a word behind the colon`;
  const known = fieldMatcher(word.slice(0, colon).toLowerCase(), wanted);
  return known ?? anywhere(word.toLowerCase());
};

/** Reads a query. */
export const readQuery = (query: string): ReadQuery => {
  if (query.length > LONGEST_QUERY) return { matches: undefined, misread: 'the query is too long' };
  const words = wordsOf(query);
  if (words.length > MOST_WORDS) return { matches: undefined, misread: `more than ${MOST_WORDS} words` };
  const matchers: Matcher[] = [];
  for (const word of words) {
    const negated = word.length > 1 && word.startsWith('-');
    const matcher = matcherOf(negated ? word.slice(1) : word);
    if (typeof matcher === 'string') return { matches: undefined, misread: matcher };
    matchers.push(negated ? (actor) => !matcher(actor) : matcher);
  }
  if (matchers.length === 0) return { matches: undefined };
  return { matches: (actor) => matchers.every((matches) => matches(actor)) };
};
