// How figures look; the same rules as the reports' (headgate/reports/shown.py), so that every surface shows the same cents.
export const UNKNOWN = "unknown";

const known = (value) => value !== null && value !== undefined;

/** Rounded as Python rounds: exact ties go to the even digit. */
const fixed = (value, digits) => {
  const scaled = value * 10 ** digits;
  if (Number.isInteger(value * 2 ** (digits + 1)) && Math.abs(scaled % 1) === 0.5) {
    const below = Math.floor(scaled);
    return ((below % 2 ? below + 1 : below) / 10 ** digits).toFixed(digits);
  }
  return value.toFixed(digits);
};

const grouped = (digits) => {
  const [whole, rest] = digits.split(".");
  const parts = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return rest === undefined ? parts : `${parts}.${rest}`;
};

/** "15,238" */
export const number = (value) => (known(value) ? `${value < 0 ? "-" : ""}${grouped(fixed(Math.abs(value), 0))}` : UNKNOWN);

/** "1 request", "2,534 requests" */
export const count = (value, one, many = `${one}s`) => `${number(value)} ${value === 1 ? one : many}`;

/** Money of many requests: "$1,219.04"; under ten dollars "$0.1734". */
export const dollars = (amount) => {
  if (!known(amount)) return UNKNOWN;
  const sign = amount < 0 ? "-" : "";
  const size = Math.abs(amount);
  if (!size) return "$0.00";
  if (size < 0.00005) return `${sign}<$0.0001`;
  const fine = fixed(size, 4);
  return `${sign}$${grouped(size < 10 && !fine.endsWith("00") ? fine : fixed(size, 2))}`;
};

/** Money of one request: "$0.012345". */
export const fineDollars = (amount) => {
  if (!known(amount)) return UNKNOWN;
  const sign = amount < 0 ? "-" : "";
  const digits = fixed(Math.abs(amount), 6);
  if (amount && !Number(digits)) return `${sign}<$0.000001`;
  const [whole, cents] = digits.split(".");
  return `${sign}$${grouped(whole)}.${cents.slice(0, 2)}${cents.slice(2).replace(/0+$/, "")}`;
};

/** "26.9%" */
export const percent = (share, digits = 1) => (known(share) ? `${fixed(share * 100, digits)}%` : UNKNOWN);

/** "320ms"; from ten seconds on "12.3s". */
export const duration = (seconds) => {
  if (!known(seconds)) return UNKNOWN;
  return seconds >= 10 ? `${grouped(fixed(seconds, 1))}s` : `${grouped(fixed(seconds * 1000, 0))}ms`;
};

/** "1.4 MB" */
export const bytes = (size) => {
  if (!known(size)) return UNKNOWN;
  for (const [unit, one] of [["GB", 1e9], ["MB", 1e6], ["KB", 1e3]]) if (size >= one) return `${fixed(size / one, 1)} ${unit}`;
  return `${number(size)} bytes`;
};

const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const DATE = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });
const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

/** Unix seconds as words of the reader's own clock. */
export const day = (at) => DAY.format(at * 1000);
export const date = (at) => DATE.format(at * 1000);
export const clock = (at) => CLOCK.format(at * 1000);

export const moment = (at) => `${DATE.format(at * 1000)}, ${CLOCK.format(at * 1000)}`;

/** "1.2k", "3.4M": for axes. */
export const short = (value) => {
  const size = Math.abs(value);
  if (size >= 1e6) return `${+(value / 1e6).toFixed(1)}M`;
  if (size >= 1e3) return `${+(value / 1e3).toFixed(1)}k`;
  return `${+value.toFixed(2)}`;
};
