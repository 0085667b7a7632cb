/** One writer for each document: what an editor holds ends with it, and a writer that was too late is fenced off. */
import { actor, application, keyedLocks, server, supervisor } from 'troupe';

const locks = keyedLocks('locks');
const disk = { token: 0 };
const write = (token, text) => {
  if (token >= disk.token) disk.token = token;
  console.log(token < disk.token ? 'refused:' : 'written:', text);
};

const editor = actor(
  'editor',
  server({
    init: (_input, ctx) => ctx,
    call: {
      open: async (ctx) => (await ctx.get(locks).as(ctx).acquire('readme.md')).token,
      crash: () => {
        throw new Error('the editor crashed');
      },
    },
  }),
);

const app = await application(supervisor('desk', { children: [locks, editor] })).start();
const handle = app.get(editor);
const first = await handle.call({ type: 'open' });
write(first, 'by the first editor');
const waiting = app.get(locks).use('readme.md', ({ token }) => write(token, 'by who waited for it'));
await handle.call({ type: 'crash' }).catch(() => {});
await waiting;
write(first, 'by the first editor, late');
console.log(app.get(locks).inspect().keys.length, 'keys held');
await app.stop();
