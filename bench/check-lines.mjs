/**
 * Reads the lines of `npm run -s bench -- --json` from stdin and fails where one is not what it should be, or where there is
 * none. It judges no figure: a machine that is busy must not fail a build.
 *
 *   npm run -s bench -- --json chart | node bench/check-lines.mjs
 */
import { createInterface } from 'node:readline';

const isFigure = (value) => typeof value === 'number' && Number.isFinite(value) && value > 0;
const isWord = (value) => typeof value === 'string' && value !== '';

/** What is wrong with a line, or `undefined`. */
export const faultOf = (text) => {
  let line;
  try {
    line = JSON.parse(text);
  } catch {
    return 'is not JSON';
  }
  if (typeof line !== 'object' || line === null) return 'is no object';
  const { suite, case: name, ns, peer, peerNs, ratio } = line;
  if (!isWord(suite) || !isWord(name)) return 'does not say which suite and case';
  if (!isFigure(ns)) return 'has no figure';
  if (peer === null)
    return peerNs === null && ratio === null ? undefined : 'has no peer, and yet a figure of one';
  if (!isWord(peer)) return 'does not name its peer';
  if (!isFigure(peerNs) || !isFigure(ratio)) return 'has no figure of its peer';
  return Math.abs(ratio - ns / peerNs) <= 0.001 * ratio ? undefined : 'has a ratio of other figures';
};

const check = async () => {
  let seen = 0;
  for await (const text of createInterface({ input: process.stdin })) {
    seen += 1;
    const fault = faultOf(text);
    if (fault === undefined) continue;
    process.stderr.write(`bench: a line ${fault}: ${text}\n`);
    process.exitCode = 1;
  }
  if (seen === 0) {
    process.stderr.write('bench: no line came\n');
    process.exitCode = 1;
  } else process.stdout.write(`bench: ${seen} lines\n`);
};

if (process.argv[1]?.endsWith('check-lines.mjs') === true) await check();
