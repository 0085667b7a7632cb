/** The events of the service for whoever listens at `/events`: what happens on its bus and to its breaker, as server-sent events. */
import { createFeed } from 'troupe';

/** @param {{ app: import('troupe').Application, bus: import('troupe').BusHandle }} parts */
export const createEvents = ({ app, bus }) => {
  const feed = createFeed({ name: 'events', capacity: 2_000 });
  const pass = (event) => (data) => void feed.publish({ event, data });
  const stops = [
    app.events.on('breaker.opened', ({ path }) => pass('breaker')({ path, state: 'open' })),
    app.events.on('breaker.closed', ({ path }) => pass('breaker')({ path, state: 'closed' })),
  ];
  // The newest matters more than what has waited long: publishers of documents wait for nobody.
  bus.subscribe('document.counted', pass('document'), { overflow: 'drop_oldest', name: 'events' });
  return {
    feed,
    close: () => {
      for (const stop of stops) stop();
    },
  };
};
