/** A served explorer for tests, and a viewer that reads its stream as a page would. */
import { type IncomingMessage, request } from 'node:http';
import type { Frame, FrameType } from '../../src/explorer/index.ts';

export interface Reply {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
  readonly json: never;
}

/** `fetch` forbids the headers that are to be forged here. */
export const ask = (
  address: string,
  path: string,
  options: {
    readonly method?: string;
    readonly headers?: Record<string, string>;
    readonly body?: string;
  } = {},
): Promise<Reply> =>
  new Promise((resolve, reject) => {
    const { method = 'GET', headers = {}, body } = options;
    const asked = request(
      new URL(path, address),
      { method, headers: { ...headers }, agent: false },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8');
          const isJson = response.headers['content-type']?.startsWith('application/json') === true;
          const json = (isJson ? JSON.parse(text) : undefined) as never;
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text, json });
        });
      },
    );
    asked.on('error', reject);
    asked.end(body);
  });

type FrameNamed<T extends FrameType> = Extract<Frame, { readonly type: T }>;

/** Reads a stream and lets tests wait for frames. */
export class Page {
  readonly frames: Frame[] = [];
  readonly headers: Record<string, string>;
  readonly address: string;
  readonly #waiting = new Set<() => void>();
  #response: IncomingMessage | undefined;

  constructor(address: string, token?: string) {
    this.address = address;
    this.headers = {
      'sec-fetch-site': 'same-origin',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    };
  }

  open(query = ''): Promise<void> {
    return new Promise((resolve, reject) => {
      const url = new URL(`api/v1/stream${query}`, this.address);
      const asked = request(url, { headers: this.headers, agent: false }, (response) => {
        this.#response = response;
        let rest = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          rest += chunk;
          for (let end = rest.indexOf('\n\n'); end >= 0; end = rest.indexOf('\n\n')) {
            const data = /^data: (.*)$/m.exec(rest.slice(0, end))?.[1];
            rest = rest.slice(end + 2);
            if (data !== undefined) this.frames.push(JSON.parse(data) as Frame);
          }
          for (const look of [...this.#waiting]) look();
        });
        response.on('error', () => undefined);
        response.on('close', () => {
          for (const look of [...this.#waiting]) look();
        });
        if (response.statusCode === 200) resolve();
        else reject(new Error(`stream: ${response.statusCode}`));
      });
      asked.on('error', reject);
      asked.end();
    });
  }

  /** The first frame of a type that fits, of those that came or are to come. */
  until<T extends FrameType>(
    type: T,
    fits: (body: FrameNamed<T>['body']) => boolean = () => true,
  ): Promise<FrameNamed<T>['body']> {
    return new Promise((resolve) => {
      let seen = 0;
      const look = () => {
        for (; seen < this.frames.length; seen++) {
          const frame = this.frames[seen] as Frame;
          if (frame.type !== type || !fits(frame.body as FrameNamed<T>['body'])) continue;
          this.#waiting.delete(look);
          resolve(frame.body as never);
          return;
        }
      };
      this.#waiting.add(look);
      look();
    });
  }

  post(path: string, body: unknown): Promise<Reply> {
    return ask(this.address, `api/v1/${path}`, {
      method: 'POST',
      headers: {
        ...this.headers,
        origin: new URL(this.address).origin,
        'content-type': 'application/json',
      },
      body: JSON.stringify(body),
    });
  }

  get(path: string): Promise<Reply> {
    return ask(this.address, `api/v1/${path}`, { headers: this.headers });
  }

  async watch(watch: object): Promise<void> {
    const { stream } = await this.until('hello');
    const { status, text } = await this.post('watch', { stream, watch });
    if (status !== 200) throw new Error(text);
  }

  close(): void {
    this.#response?.destroy();
  }
}
