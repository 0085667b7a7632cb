/** troupe/explorer: what watches a running troupe. Exports only. */
export {
  createExplorerHandler,
  type ExplorerHandle,
  type ExplorerHandler,
  type ExplorerHandlerOptions,
  type ExplorerOptions,
  explorer,
  type ViewOptions,
} from './explorer.ts';
export * from './protocol.ts';
