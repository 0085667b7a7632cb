/**
 * Whether what was typed so far is a beginning: the rules by which a REPL asks for another line.
 *
 * A beginning never runs: either it is seen here that a block is open, or the language's own parser said that the text ended too
 * soon, and what does not parse has done nothing. Invariant: an error that code raises while it runs is never taken for a beginning.
 */
import { isTroupeError } from '../../base/errors.ts';
import type { Language } from './code-session.ts';

/** Lines of Python that begin a block, or belong before one. */
const OPENS_BLOCK =
  /^(?:@|(?:if|elif|else|for|while|def|class|with|try|except|finally|async|match|case)\b.*)/;

/** In Python a block is over when a blank line says so. */
export const isOpenBlock = (language: Language, code: string): boolean => {
  if (language !== 'python') return false;
  const lines = code.split('\n');
  if (lines.at(-1)?.trim() === '') return false;
  const last = lines.filter((line) => /^[^\s#)\]}]/.test(line)).at(-1);
  return last !== undefined && OPENS_BLOCK.test(last);
};

const ENDS_TOO_SOON: Readonly<Record<Language, RegExp>> = {
  python: /was never closed|unexpected EOF while parsing|(?:unterminated|EOF while scanning) triple-quoted/,
  javascript: /^Unexpected end of input$/,
};

/** A comment that nothing closes: to its parser that is a character that should not be there. */
const isOpenComment = (code: string): boolean => code.lastIndexOf('/*') > code.lastIndexOf('*/');

/** What stands before the error where code was running. */
const WAS_RUNNING: Readonly<Record<Language, RegExp>> = { python: /^Traceback/, javascript: /\n {4}at / };

/** Whether what this code failed with says that more of it is to come. */
export const endsTooSoon = (language: Language, code: string, error: unknown): boolean => {
  if (!isTroupeError(error, 'ERR_EXECUTION_FAILED')) return false;
  const { type, text, traceback } = error.data as Readonly<Record<'type' | 'text' | 'traceback', unknown>>;
  if (type !== 'SyntaxError' || WAS_RUNNING[language].test(String(traceback))) return false;
  return ENDS_TOO_SOON[language].test(String(text)) || (language === 'javascript' && isOpenComment(code));
};
