/** Prints docs/ERRORS.md from the table of errors: `npm run docs:errors`. A test holds the page to the table. */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ERRORS } from '../src/base/errors.ts';

/** The page as it must be. */
export const errorPage = (): string => {
  const rows = Object.entries(ERRORS).map(
    ([code, { class: name, message, outcome, help }]) =>
      `### \`${code}\`\n\n${name} · outcome \`${outcome}\`\n\n> ${message}\n\n${help}\n`,
  );
  return [
    '# Errors',
    '',
    'Every error that troupe raises has a `code`, a `cause` where there is one, the facts in `data`, and an `outcome`: what is',
    'known of the work that was refused or broken off. `not_started` may be tried again; `unknown` only if that does no harm;',
    '`completed` has happened. Recognise them with `isTroupeError(error, code)`, across copies and realms. This page is printed from the',
    'table in `src/base/errors.ts`.',
    '',
    ...rows,
  ].join('\n');
};

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync('docs/ERRORS.md', errorPage());
