/** Where the page begins: the token out of the address, the line to the server, and the first drawing. */
import { render } from 'preact';
import { followAddress, takeToken } from './address.ts';
import { provideConnection } from './commanding.ts';
import { Connection } from './connection.ts';
import { listenToKeys } from './keys.ts';
import { Shell } from './shell.tsx';
import { cursors, link, take } from './store.ts';
import { applyTheme } from './theme.ts';
import { keepWatching } from './watching.ts';

const begin = (): void => {
  applyTheme();
  const token = takeToken();
  followAddress();
  let opened = (): void => undefined;
  const connection = new Connection({
    token,
    frame: take,
    status: (status) => {
      link.value = status;
    },
    cursors,
    opened: () => opened(),
  });
  opened = keepWatching(connection);
  provideConnection(connection);
  listenToKeys();
  const root = document.getElementById('page');
  if (root === null) return;
  root.replaceChildren();
  render(<Shell />, root);
  connection.open();
};

begin();
