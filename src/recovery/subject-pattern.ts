/**
 * Which subjects a playbook entry is about: paths with `*` for any run of characters within one part, and `**` for any
 * number of parts.
 *
 * Invariant: linear in the subject for a given pattern, whatever both hold: no regular expression, no recursion.
 */

/** One part against one part's pattern: the pieces between stars must come one after the other. */
const matchesPart = (pattern: string, part: string): boolean => {
  const pieces = pattern.split('*');
  const [first = ''] = pieces;
  if (pieces.length === 1) return part === pattern;
  const last = pieces[pieces.length - 1] as string;
  if (part.length < first.length + last.length || !part.startsWith(first) || !part.endsWith(last))
    return false;
  const end = part.length - last.length;
  let from = first.length;
  for (const piece of pieces.slice(1, -1)) {
    const at = part.indexOf(piece, from);
    if (at === -1 || at + piece.length > end) return false;
    from = at + piece.length;
  }
  return true;
};

/** Whether a subject's path fits a pattern. Both may begin with `/` or not, as the paths of the system do. */
export const matchesSubject = (pattern: string, subject: string): boolean => {
  const patterns = pattern.split('/');
  const parts = subject.split('/');
  let p = 0;
  let s = 0;
  // Where the last ** stands, and how many parts it has taken so far: the only place worth coming back to.
  let star = -1;
  let taken = 0;
  while (s < parts.length) {
    const next = patterns[p];
    if (next === '**') {
      star = p;
      taken = s;
      p += 1;
    } else if (next !== undefined && matchesPart(next, parts[s] as string)) {
      p += 1;
      s += 1;
    } else if (star !== -1) {
      taken += 1;
      p = star + 1;
      s = taken;
    } else return false;
  }
  while (patterns[p] === '**') p += 1;
  return p === patterns.length;
};
