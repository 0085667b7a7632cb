/** Other people's code, in a process of its own: it prints, asks, fails, loops for ever and crashes, and the service goes on. */
import { createSystem } from 'troupe';
import { codeExecutor } from 'troupe/execution';

const system = createSystem();
const code = await system.start(codeExecutor('code', { capabilities: 'unrestricted' }));
const session = await code.session({ language: 'javascript', checkpoint: 'on_kill' });

const run = async (text, options) => {
  for await (const event of session.execute(text, options)) {
    if (event.kind === 'output') process.stdout.write(event.text);
    if (event.kind === 'input') session.input(event.request, 'Ada');
    if (event.kind === 'result' && event.result.hasValue) console.log('=', event.result.repr);
    if (event.kind === 'error') console.log('!', event.error.code, event.error.data.text ?? '');
  }
};

await run('let total = 0; for (const n of [1, 2, 3]) total += n; total');
await run('const name = await input("name? "); console.log("hello", name)');
await run('total.toUppercase()');

// Stopped after its time; the session and its names are still there.
await run('while (true) {}', { timeoutMs: 200 });
await run('total');

// The process is gone. Another one takes its place, with what the last checkpoint kept.
await run('process.kill(process.pid, "SIGKILL")');
await run('[name, total]');
console.log('processes:', session.inspect().processes);
await system.shutdown();
