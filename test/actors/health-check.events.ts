/** The events of the chart of a health check, in every variant that its guard tells apart. */
import type { HealthCheckEvent } from '../../actors/health-check.machine.ts';

export const events: readonly HealthCheckEvent[] = [
  { type: 'bad', enough: false },
  { type: 'bad', enough: true },
  { type: 'good', enough: false },
  { type: 'good', enough: true },
  { type: 'middling' },
];
