/** A value of the observed program as text that can be folded. It is data: whatever stands in it is shown, never run. */
import type { ContextChange, Json } from '../protocol.ts';

const LONGEST_LINE = 60;

const isShort = (value: Json): boolean => JSON.stringify(value).length <= LONGEST_LINE;

export const JsonView = ({ value, name, depth = 0 }: { value: Json; name?: string; depth?: number }) => {
  const label = name === undefined ? null : <span class="json-key">{name}: </span>;
  if (typeof value !== 'object' || value === null || isShort(value))
    return (
      <div class="json-line">
        {label}
        <span class={`json-${value === null ? 'null' : typeof value}`}>{JSON.stringify(value)}</span>
      </div>
    );
  const entries = Array.isArray(value)
    ? (value as readonly Json[]).map((one, i): [string, Json] => [String(i), one])
    : Object.entries(value as Readonly<Record<string, Json>>);
  return (
    <details class="json" open={depth < 2}>
      <summary>
        {label}
        <span class="faint">{Array.isArray(value) ? `[${entries.length}]` : `{${entries.length}}`}</span>
      </summary>
      {entries.map(([key, one]) => (
        <JsonView key={key} name={key} value={one} depth={depth + 1} />
      ))}
    </details>
  );
};

const shown = (value: Json | undefined): string => (value === undefined ? '—' : JSON.stringify(value));

/** What a step changed, line by line: what it was, and what it became. */
export const Changes = ({ changes }: { readonly changes: readonly ContextChange[] }) => (
  <ul class="changes">
    {changes.map(({ at, before, after }) => (
      <li key={at.join('.')}>
        <span class="json-key">{at.join('.') || 'context'}</span>
        <del>− {shown(before)}</del>
        <ins>+ {shown(after)}</ins>
      </li>
    ))}
  </ul>
);
