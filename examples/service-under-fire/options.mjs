/** The launcher's command line: what it accepts, in which words it refuses. Reads nothing but its arguments. */
import { randomInt } from 'node:crypto';
import { SECONDS_DEFAULT, SECONDS_MAX, SECONDS_MIN } from './schedule.mjs';

const SEED_MAX = 2 ** 32 - 1;

export const HELP = `Usage: npm start -- [options]

Runs a service on troupe, attacks it with real faults while it does real work, and
checks that it lost nothing.

  --seconds N           how long, at least ${SECONDS_MIN}; the last 4 s are calm (default ${SECONDS_DEFAULT})
  --seed N              which attack, 0 to 2^32 - 1 (default: drawn)
  --worker node|python  workers of one language (default: mixed where there is python3)
  --input DIR           count the files of DIR (default: Markdown and licences in node_modules)
  --json                print the result as one JSON object on the last line;
                        the explorer's address goes to stderr
  --keep                leave the service up after the run, until Ctrl-C
  --help                this text

Exit codes: 0 nothing was lost, 1 something was (it says what), 2 wrong usage,
130 and 143 interrupted.`;

/** A refusal of the command line. */
export class UsageError extends Error {}

const wholeNumber = (name, text, min, max) => {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new UsageError(`${name} must be a whole number from ${min} to ${max}, got "${text}"`);
};

const oneOf = (name, text, known) => {
  if (known.includes(text)) return text;
  throw new UsageError(`${name} must be ${known.join(' or ')}, got "${text}"`);
};

const VALUED = {
  '--seconds': (text) => ({ seconds: wholeNumber('--seconds', text, SECONDS_MIN, SECONDS_MAX) }),
  '--seed': (text) => ({ seed: wholeNumber('--seed', text, 0, SEED_MAX) }),
  '--worker': (text) => ({ worker: oneOf('--worker', text, ['node', 'python']) }),
  '--input': (text) => ({ input: text }),
};
const FLAGS = { '--json': { json: true }, '--keep': { keep: true }, '--help': { help: true } };

/**
 * @typedef {object} Options
 * @property {number} seconds
 * @property {number} seed
 * @property {'node' | 'python' | undefined} worker `undefined`: mixed, as far as there are languages
 * @property {string | undefined} input
 * @property {boolean} json
 * @property {boolean} keep
 * @property {boolean} help
 */

/**
 * @param {readonly string[]} args
 * @returns {Options}
 * @throws UsageError for anything it does not know or cannot use
 */
export const parseOptions = (args) => {
  const options = {
    seconds: SECONDS_DEFAULT,
    seed: undefined,
    worker: undefined,
    input: undefined,
    json: false,
    keep: false,
    help: false,
  };
  const seen = new Set();
  for (let index = 0; index < args.length; index++) {
    const [name, inline] = split(/** @type {string} */ (args[index]));
    if (seen.has(name)) throw new UsageError(`${name} is given twice`);
    seen.add(name);
    if (Object.hasOwn(FLAGS, name)) {
      if (inline !== undefined) throw new UsageError(`${name} takes no value`);
      Object.assign(options, FLAGS[name]);
    } else if (Object.hasOwn(VALUED, name)) {
      const value = inline ?? args[++index];
      if (value === undefined || value === '') throw new UsageError(`${name} needs a value`);
      Object.assign(options, VALUED[name](value));
    } else {
      const known = [...Object.keys(VALUED), ...Object.keys(FLAGS)].join(', ');
      throw new UsageError(`unknown option ${name}; known are ${known}`);
    }
  }
  return { ...options, seed: options.seed ?? randomInt(SEED_MAX) };
};

const split = (argument) => {
  const equals = argument.startsWith('--') ? argument.indexOf('=') : -1;
  return equals < 0 ? [argument, undefined] : [argument.slice(0, equals), argument.slice(equals + 1)];
};
