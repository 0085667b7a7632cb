/**
 * `troupe draw <file>`: a machine or a tree of a file as a picture, as Mermaid's text, or as JSON.
 *
 * Invariant: what was asked for is on stdout, or in the file of `--out`, and nothing else is; everything else is on stderr.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { realHost } from '../../base/real-host.ts';
import { chartPicture } from '../draw/chart-picture.ts';
import { subjectsInFile } from '../draw/read-file.ts';
import type { Subject } from '../draw/subjects.ts';
import { treeMermaid } from '../draw/tree-node.ts';
import { treePicture } from '../draw/tree-picture.ts';
import { DONE, FAILED, MISUSED, type Subcommand } from './subcommand.ts';

const FORMATS = ['svg', 'mermaid', 'json'] as const;
type Format = (typeof FORMATS)[number];

const USAGE = 'draw <file> [--format svg|mermaid|json] [--export <name>] [--out <file>]';

interface Asked {
  readonly file: string;
  readonly format: Format;
  readonly exported: string | undefined;
  readonly out: string | undefined;
}

const formatOf = (given: string | undefined, out: string | undefined): string => {
  if (given !== undefined) return given;
  if (out?.endsWith('.json') === true) return 'json';
  return out !== undefined && /\.(mmd|mermaid|md)$/.test(out) ? 'mermaid' : 'svg';
};

/** What is asked for, or in words what is wrong with it. */
const readArguments = (args: readonly string[]): Asked | string => {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { format: { type: 'string' }, export: { type: 'string' }, out: { type: 'string' } },
    });
    const [file, ...more] = positionals;
    if (file === undefined || more.length > 0) return 'name one file';
    const format = FORMATS.find((one) => one === formatOf(values.format, values.out));
    if (format === undefined) return `there is no format ${values.format}`;
    return { file, format, exported: values.export, out: values.out };
  } catch (error) {
    return (error as Error).message;
  }
};

/** A subject in a format. */
export const drawn = (subject: Subject, format: Format): string => {
  if (format === 'json')
    return `${JSON.stringify(subject.kind === 'chart' ? subject.definition : subject.tree, null, 2)}\n`;
  if (subject.kind === 'chart') return format === 'svg' ? chartPicture(subject.definition) : subject.mermaid;
  return format === 'svg' ? treePicture(subject.tree) : treeMermaid(subject.tree);
};

const namesOf = (subjects: readonly Subject[]): string =>
  subjects.map(({ name, kind }) => `${name} (${kind})`).join(', ');

/** The one that is meant, or in words why none is. */
const chosen = (subjects: readonly Subject[], { file, exported }: Asked): Subject | string => {
  if (subjects.length === 0) return `${file} exports no machine and no tree`;
  const named = subjects.filter(({ name }) => name === exported);
  const [one, ...more] = exported === undefined ? subjects : named;
  if (one === undefined)
    return `${file} exports no ${exported} that can be drawn; there are ${namesOf(subjects)}`;
  return more.length === 0 ? one : `${file} exports several; say which by --export: ${namesOf(subjects)}`;
};

export const draw: Subcommand = {
  usage: 'draw <file> [--format svg|mermaid|json]',
  summary: 'draws the machine or the tree that a file exports, TypeScript or JavaScript',
  run: async (args, { print, complain }) => {
    const asked = readArguments(args);
    if (typeof asked === 'string') {
      complain(`troupe draw: ${asked}\nusage: troupe ${USAGE}`);
      return MISUSED;
    }
    try {
      const subject = chosen(await subjectsInFile(realHost(), asked.file), asked);
      if (typeof subject === 'string') {
        complain(`troupe draw: ${subject}`);
        return FAILED;
      }
      const text = drawn(subject, asked.format);
      if (asked.out === undefined) print(text.trimEnd());
      else writeFileSync(asked.out, text);
      return DONE;
    } catch (error) {
      complain(`troupe draw: ${error instanceof Error ? error.message : String(error)}`);
      return FAILED;
    }
  },
};
