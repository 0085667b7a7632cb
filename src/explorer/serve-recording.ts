/** Serves a recording on loopback, in the views of a running system. Read-only: there is nothing to command. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { realHost } from '../base/real-host.ts';
import { EventStream } from '../base/telemetry.ts';
import { Doors } from './doors.ts';
import { EXPLORER_DEFAULTS } from './explorer.ts';
import { RecordingSource, readRecording } from './recording-source.ts';

/** A recording that is served. */
export interface ServedRecording {
  readonly address: string;
  close(): void;
}

/** Serves what a file holds until closed. @throws ERR_RECORDING_INVALID */
export const serveRecording = async (content: string, file: string, port = 0): Promise<ServedRecording> => {
  const source = new RecordingSource(readRecording(content, file));
  const host = realHost();
  const doors = new Doors({
    host,
    events: new EventStream(() => host.wall()),
    path: 'explorer',
    source,
    rules: { token: undefined, allowedHosts: [] },
    commands: undefined,
    enabled: [],
    basePath: '',
    refreshMs: EXPLORER_DEFAULTS.refreshMs,
  });
  const server = createServer(doors.handle);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, EXPLORER_DEFAULTS.host, resolve);
  });
  const { port: bound } = server.address() as AddressInfo;
  return {
    address: `http://${EXPLORER_DEFAULTS.host}:${bound}/`,
    close: () => {
      doors.close('closed');
      server.close();
      server.closeAllConnections();
    },
  };
};
