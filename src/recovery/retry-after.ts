/**
 * How long an HTTP response asks its client to stay away: the Retry-After field, as seconds or as a date (RFC 9110 §10.2.3).
 *
 * Invariant: a pure function of its input; whatever the field holds, the answer is a non-negative number of ms or none. It
 * asks no clock: a date is held against the instant the caller names, or else against the response's own Date field.
 */

/** No header field that we read is longer; longer ones are not read at all. */
const MAX_FIELD_LENGTH = 64;

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const DAY_MS = 86_400_000;

/** Days from the epoch to a day of the Gregorian calendar (H. Hinnant, "chrono-compatible low-level date algorithms"). */
const daysToCivil = (year: number, month: number, day: number): number => {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  return (
    era * 146_097 +
    yearOfEra * 365 +
    Math.floor(yearOfEra / 4) -
    Math.floor(yearOfEra / 100) +
    dayOfYear -
    719_468
  );
};

const instant = (
  date: { readonly year: number; readonly month: string; readonly day: number },
  time: string,
): number | undefined => {
  const month = MONTHS.indexOf(date.month.toLowerCase()) + 1;
  const [hours = 0, minutes = 0, seconds = 0] = time.split(':').map(Number);
  const { year, day } = date;
  if (month === 0 || day < 1 || day > 31 || hours > 23 || minutes > 59 || seconds > 60) return undefined;
  return daysToCivil(year, month, day) * DAY_MS + ((hours * 60 + minutes) * 60 + seconds) * 1_000;
};

const IMF_FIXDATE = /^[a-z]{3}, (\d{2}) ([a-z]{3}) (\d{4}) (\d{2}:\d{2}:\d{2}) gmt$/i;
const RFC_850 = /^[a-z]{6,9}, (\d{2})-([a-z]{3})-(\d{2}) (\d{2}:\d{2}:\d{2}) gmt$/i;
const ASCTIME = /^[a-z]{3} ([a-z]{3}) ([ \d]\d) (\d{2}:\d{2}:\d{2}) (\d{4})$/i;

/** An HTTP date in any of the three formats a recipient must accept, as ms since the epoch (RFC 9110 §5.6.7). */
export const parseHttpDate = (field: string): number | undefined => {
  if (field.length > MAX_FIELD_LENGTH) return undefined;
  const fixed = IMF_FIXDATE.exec(field);
  if (fixed !== null) {
    const [, day = '', month = '', year = '', time = ''] = fixed;
    return instant({ year: Number(year), month, day: Number(day) }, time);
  }
  const old = RFC_850.exec(field);
  if (old !== null) {
    const [, day = '', month = '', year = '', time = ''] = old;
    // Two digits: servers that still write this mean this century; 70 to 99 can only be the last.
    const century = Number(year) >= 70 ? 1_900 : 2_000;
    return instant({ year: century + Number(year), month, day: Number(day) }, time);
  }
  const [, month = '', day = '', time = '', year = ''] = ASCTIME.exec(field) ?? [];
  return month === '' ? undefined : instant({ year: Number(year), month, day: Number(day) }, time);
};

/** Reads one field of whatever holds headers: a `Headers`, a `Map`, or a plain object with keys of any case. */
export const headerOf = (headers: unknown, name: string): string | undefined => {
  if (typeof headers !== 'object' || headers === null) return undefined;
  const { get } = headers as { get?: unknown };
  const found: unknown =
    typeof get === 'function'
      ? get.call(headers, name)
      : Object.entries(headers).find(([key]) => key.toLowerCase() === name)?.[1];
  const first: unknown = Array.isArray(found) ? found[0] : found;
  return typeof first === 'string' ? first : typeof first === 'number' ? String(first) : undefined;
};

/**
 * The delay in ms that a response's headers ask for; `undefined` when they ask for none that we understand.
 *
 * @param wallMs the wall clock now, ms since the epoch; without it a date counts from the response's Date field
 */
export const retryAfterMsOf = (headers: unknown, wallMs?: number): number | undefined => {
  const field = headerOf(headers, 'retry-after')?.trim();
  if (field === undefined || field.length > MAX_FIELD_LENGTH) return undefined;
  if (/^\d{1,12}$/.test(field)) return Number(field) * 1_000;
  const until = parseHttpDate(field);
  const from = wallMs ?? parseHttpDate(headerOf(headers, 'date')?.trim() ?? '');
  return until === undefined || from === undefined ? undefined : Math.max(0, until - from);
};
