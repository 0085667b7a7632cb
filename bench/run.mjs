/**
 * `npm run bench`: runs the suites beside this file, each in a process of its own, one after another.
 *
 *   npm run bench                          all suites, a table with bars
 *   npm run bench -- kernel resilience     some
 *   npm run -s bench -- --json kernel      one JSON object a line on stdout, nothing else
 *   npm run bench -- --markdown            the same run, and docs/BENCHMARKS.md with its tables
 *
 * A suite is a file `<name>.bench.mjs` in this folder (see `contest.mjs`): to add one, drop it in. What is not there of the
 * rivals is installed first, into this folder alone. Progress and what was left out go to stderr. Exits 0 when all suites
 * ran, 1 when one failed, 2 when asked for what there is not.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { drawSuite, markdown } from './report.mjs';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const PAGE = fileURLToPath(new URL('../docs/BENCHMARKS.md', import.meta.url));
const ENDING = '.bench.mjs';
const BEGIN = '<!-- tables: written by npm run bench -- --markdown -->';
const END = '<!-- end of tables -->';

const fail = (message) => {
  process.stderr.write(`bench: ${message}\n`);
  process.exit(2);
};

/** What was asked for. `--folder` is where suites lie, for tests of this command. */
const readArguments = (argv) => {
  const asked = { json: false, markdown: false, folder: HERE, suites: [] };
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i];
    if (word === '--json') asked.json = true;
    else if (word === '--markdown') asked.markdown = true;
    else if (word === '--folder') {
      i += 1;
      asked.folder = argv[i] ?? fail('--folder needs a path');
    } else if (word.startsWith('-'))
      fail(`no such option: ${word}; there are --json, --markdown and --folder`);
    else asked.suites.push(word);
  }
  return asked;
};

const suitesIn = (folder) => {
  if (!existsSync(folder)) fail(`no such folder: ${folder}`);
  return readdirSync(folder)
    .filter((name) => name.endsWith(ENDING))
    .map((name) => name.slice(0, -ENDING.length))
    .sort();
};

/** The rivals are no dependencies of troupe: they live in `bench/node_modules`, by a lock file of their own. */
const installRivals = () => {
  if (existsSync(join(HERE, 'node_modules', '.package-lock.json'))) return;
  process.stderr.write('bench: installing the rivals\n');
  const { status } = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel', 'error'], {
    cwd: HERE,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  });
  if (status === 0) return;
  process.stderr.write('bench: npm ci failed in bench/\n');
  process.exit(1);
};

/** Runs one suite, and hands its lines on as they come. */
const measure = (file, hear) =>
  new Promise((resolve, reject) => {
    const argv = ['--expose-gc', join(HERE, 'measure-suite.mjs'), file];
    const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'] });
    const output = createInterface({ input: child.stdout });
    output.on('line', hear);
    child.on('error', reject);
    let status;
    const over = () => status !== undefined && output.closed && resolve(status);
    child.on('exit', (code) => {
      status = code ?? 1;
      over();
    });
    output.on('close', over);
  });

const machine = () => {
  const [{ model = 'unknown' } = {}] = cpus();
  const erl = ['-noshell', '-eval', 'io:format("~s", [erlang:system_info(otp_release)]), halt().'];
  const otp = spawnSync('erl', erl, { encoding: 'utf8', timeout: 20_000 });
  return [
    `${cpus().length} × ${model.trim()}`,
    `${Math.round(totalmem() / 2 ** 30)} GB`,
    `${process.platform} ${process.arch}`,
    `Node ${process.versions.node} (V8 ${process.versions.v8})`,
    otp.status === 0 ? `Erlang/OTP ${otp.stdout}` : 'no Erlang',
  ].join(', ');
};

const writePage = (lines) => {
  const page = readFileSync(PAGE, 'utf8');
  const [before, rest] = page.split(BEGIN);
  const after = rest?.split(END)[1];
  if (after === undefined) throw new Error(`${PAGE} has no place for tables`);
  const { dependencies } = JSON.parse(readFileSync(join(HERE, 'package.json'), 'utf8'));
  const rivals = Object.entries(dependencies).map(([name, version]) => `${name} ${version}`);
  const about = `Measured on ${machine()}. Beside: ${rivals.join(', ')}.`;
  writeFileSync(PAGE, `${before}${BEGIN}\n\n${about}\n\n${markdown(lines)}\n${END}${after}`);
  process.stderr.write('bench: docs/BENCHMARKS.md written\n');
};

const asked = readArguments(process.argv.slice(2));
const known = suitesIn(asked.folder);
const unknown = asked.suites.filter((name) => !known.includes(name));
if (unknown.length > 0) fail(`no such suite: ${unknown.join(', ')}; there are ${known.join(', ')}`);
if (asked.folder === HERE) installRivals();

const all = [];
let failed = false;
for (const name of asked.suites.length > 0 ? asked.suites : known) {
  const lines = [];
  const status = await measure(join(asked.folder, `${name}${ENDING}`), (line) => {
    lines.push(JSON.parse(line));
    if (asked.json) process.stdout.write(`${line}\n`);
  });
  if (!asked.json) process.stdout.write(`\n── ${name}\n${drawSuite(lines)}\n`);
  if (status !== 0) process.stderr.write(`bench: suite ${name} failed with ${status}\n`);
  failed ||= status !== 0;
  all.push(...lines);
}
if (asked.markdown && !failed) writePage(all);
process.exitCode = failed ? 1 : 0;
