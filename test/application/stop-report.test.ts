import { describe, expect, it } from 'vitest';
import { application } from '../../src/application/application.ts';
import { createReport } from '../../src/application/stop-report.ts';
import { supervisor } from '../../src/supervision/supervisor.ts';
import { SimulatedHost } from '../../src/testing/simulated-host.ts';

describe('the report of an end', () => {
  it('says its reason in JSON as a line of text, and keeps the very error as data', () => {
    const error = new Error('boom');
    const report = createReport({ reason: { error }, survivors: ['resource db'], durationMs: 5 });
    expect(JSON.parse(JSON.stringify(report))).toEqual({
      reason: 'error: Error: boom',
      survivors: ['resource db'],
      durationMs: 5,
    });
    expect(report.reason).toEqual({ error });
    expect(Object.isFrozen(report) && Object.isFrozen(report.survivors)).toBe(true);
  });

  it('is what stop() gives', async () => {
    const host = new SimulatedHost();
    const app = await host.runUntil(application(supervisor('s', { children: [] }), { host }).start());
    const report = await host.runUntil(app.stop());
    expect(JSON.stringify(report)).toBe('{"reason":"shutdown","survivors":[],"durationMs":0}');
  });
});
