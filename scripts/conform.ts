/**
 * `npm run -s conform`: reads scripts of the OTP conformance suite from stdin, one a line, runs each on troupe's own
 * supervisors and prints a trace a line. A malformed script is refused by line and field on stderr, nothing is printed for
 * it, and the exit code is 2.
 */
import process from 'node:process';
import { createInterface } from 'node:readline';
import { MalformedScript, parseScript } from '../test/conformance/otp/script-format.ts';
import { runScript } from '../test/conformance/otp/script-runner.ts';
import { argumentsOf } from './arguments.ts';

const MALFORMED = 2;

argumentsOf('conform', {});

const main = async (): Promise<void> => {
  let line = 0;
  for await (const text of createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY })) {
    line += 1;
    if (text.trim() === '') continue;
    try {
      const trace = await runScript(parseScript(text));
      if (!process.stdout.write(`${JSON.stringify(trace)}\n`))
        await new Promise((resolve) => process.stdout.once('drain', resolve));
    } catch (error) {
      if (!(error instanceof MalformedScript)) throw error;
      process.stderr.write(`conform: line ${line}: ${error.message}\n`);
      process.exitCode = MALFORMED;
    }
  }
};

await main();
