/** troupe/explorer: what watches a running troupe. Exports only. */
export * from './protocol.ts';
