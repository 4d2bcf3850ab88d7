// Times: local instead of UTC, and relative where data-relative asks for it. The other form is in the title.

const RELATIVE = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });
const LOCAL = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'short' });

/** @type {readonly (readonly [Intl.RelativeTimeFormatUnit, number])[]} */
const UNITS = [
  ['year', 31_536_000],
  ['month', 2_592_000],
  ['week', 604_800],
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
];

/** @param {number} seconds from now, negative for the past */
function relative(seconds) {
  const [unit, length] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? ['second', 1];
  if (unit === 'second') return seconds < 0 ? 'just now' : 'in a moment';
  const count = seconds / length;
  // An end in 23 hours and 59 minutes is in 24 hours. A use 59 minutes ago was not an hour ago.
  return RELATIVE.format(count > 0 ? Math.round(count) : Math.trunc(count), unit);
}

function show() {
  for (const element of document.querySelectorAll('time[datetime]')) {
    if (!(element instanceof HTMLTimeElement)) continue;
    const date = new Date(element.dateTime);
    // A date without a time is the same everywhere.
    if (Number.isNaN(date.getTime()) || !element.dateTime.includes('T')) continue;
    const local = LOCAL.format(date);
    const isRelative = element.dataset['relative'] !== undefined;
    element.title = isRelative ? local : element.dateTime;
    element.textContent = isRelative ? relative((date.getTime() - Date.now()) / 1000) : local;
  }
}

show();
setInterval(show, 60_000);
