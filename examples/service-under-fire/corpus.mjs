/**
 * The documents of a run: real text that nobody here wrote. By default every Markdown and licence file under
 * `node_modules`; of a folder that the user names, every regular file.
 *
 * Invariant: the same folder gives the same documents in the same order. Symbolic links are not followed.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { UsageError } from './options.mjs';

/** A longer file becomes several documents, so that one of them is one piece of work and not a minute of it. */
const DOCUMENT_BYTES_MAX = 256 * 1_024;
/** What is kept in memory at most; the files beyond are left out, and the launcher says how many. */
const CORPUS_BYTES_MAX = 64 * 1_024 * 1_024;

const isMarkdownOrLicence = (name) => /\.(md|markdown)$/i.test(name) || /^(licen[cs]e|copying)/i.test(name);
const isAnyText = (name) => !name.startsWith('.');

const byName = (a, b) => (a.name < b.name ? -1 : 1);

async function* filesUnder(folder, accepts) {
  const entries = await readdir(folder, { withFileTypes: true });
  for (const entry of entries.sort(byName)) {
    const path = join(folder, entry.name);
    if (entry.isDirectory() && entry.name !== '.git') yield* filesUnder(path, accepts);
    else if (entry.isFile() && accepts(entry.name)) yield path;
  }
}

const cut = (path, bytes) => {
  const documents = [];
  for (let from = 0; from < bytes.length; from += DOCUMENT_BYTES_MAX) {
    documents.push({ path, bytes: bytes.subarray(from, from + DOCUMENT_BYTES_MAX) });
  }
  return documents;
};

/**
 * @param {{ folder: string, named: boolean }} where `named`: the user chose the folder, so all of it counts
 * @returns {Promise<{ documents: { path: string, bytes: Buffer }[], bytes: number, leftOut: number }>}
 * @throws UsageError when the folder cannot be read or holds nothing to count
 */
export const collectCorpus = async ({ folder, named }) => {
  const documents = [];
  let bytes = 0;
  let leftOut = 0;
  try {
    for await (const path of filesUnder(folder, named ? isAnyText : isMarkdownOrLicence)) {
      const content = await readFile(path);
      if (bytes + content.length > CORPUS_BYTES_MAX) {
        leftOut += 1;
        continue;
      }
      bytes += content.length;
      documents.push(...cut(path, content));
    }
  } catch (error) {
    throw new UsageError(`cannot read documents from ${folder}: ${error.message}`);
  }
  if (documents.length === 0) throw new UsageError(`there is no document to count in ${folder}`);
  return { documents, bytes, leftOut };
};
