/** A pino logger that formats every line and writes it nowhere: what logging costs the one who logs, without the disk. */
import { createRequire } from 'node:module';

const { pino } = createRequire(new URL('../dist/pino.js', import.meta.url))('pino');

export const silentLogger = () => pino({ level: 'trace' }, { write: () => {} });
