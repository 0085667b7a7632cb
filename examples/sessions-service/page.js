/** The page: what the user writes goes to the service, and what the service tells comes here. */
const part = (id) => document.getElementById(id);
const [user, file, code, output] = ['user', 'file', 'code', 'output'].map(part);

let run;
let request;
let events;
let connected;

const show = (text, kind = 'stdout') => {
  const span = document.createElement('span');
  span.className = kind;
  span.textContent = text;
  output.append(span);
  output.scrollTop = output.scrollHeight;
};

const stand = (text) => {
  part('state').textContent = text;
  part('run').disabled = run !== undefined;
  part('stop').disabled = run === undefined;
  part('answer').hidden = request === undefined;
};

const ask = async (path, body) => {
  const options = body && {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  };
  const response = await fetch(`/api/${encodeURIComponent(user.value)}/${path}`, options);
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
};

const HEARD = {
  begun: (told) => {
    run = told.run;
    output.replaceChildren();
    stand('running');
  },
  output: ({ text, stream }) => show(text, stream),
  display: ({ data }) => show(`${data['text/plain'] ?? Object.keys(data).join(', ')}\n`),
  input: (told) => {
    request = told.request;
    part('prompt').textContent = told.prompt || 'Input';
    part('text').type = told.secret ? 'password' : 'text';
    stand('waiting for input');
    part('text').focus();
  },
  ended: ({ exitCode, code: failure, why }) => {
    run = request = undefined;
    if (failure !== undefined) show(`${why}\n`, 'stderr');
    stand(failure === undefined ? `ended with ${exitCode}` : failure);
  },
};

const connect = () => {
  if (user.value === connected) return;
  connected = user.value;
  events?.close();
  run = request = undefined;
  events = new EventSource(`/api/${encodeURIComponent(user.value)}/events`);
  events.onopen = async () => {
    stand('ready');
    const { files } = await ask('files');
    part('files').replaceChildren(...files.map((name) => new Option(name)));
  };
  events.onerror = () => stand('not connected');
  for (const [name, heard] of Object.entries(HEARD))
    events.addEventListener(name, ({ data }) => {
      const told = JSON.parse(data);
      if (told.file === file.value) heard(told);
    });
};

const failing = (work) => (event) => {
  event?.preventDefault();
  work().catch((error) => stand(error.message));
};

part('run').onclick = failing(() => ask(`files/${encodeURIComponent(file.value)}/run`, { code: code.value }));
part('stop').onclick = failing(() => ask(`runs/${encodeURIComponent(run)}/stop`, {}));
part('answer').onsubmit = failing(async () => {
  const text = part('text').value;
  part('text').value = '';
  const answered = request;
  request = undefined;
  stand('running');
  await ask(`runs/${encodeURIComponent(run)}/input`, { request: answered, text });
});
file.onchange = failing(async () => {
  run = request = undefined;
  stand('ready');
  code.value = (await ask(`files/${encodeURIComponent(file.value)}`)).code;
});
user.onchange = connect;
connect();
