/** Times in seconds since 1970, as certificates and collateral have them. */

/** "YYYY-MM-DDTHH:MM:SSZ", or words. @param {number} seconds */
export function formatTime(seconds) {
  if (!(seconds >= 0 && seconds <= 253402300799)) return "an impossible time";
  return new Date(seconds * 1000).toISOString().replace(".000Z", "Z");
}

/** RFC 3339 in UTC with whole seconds, from 1970 on; else null. @param {string} text @returns {number | null} */
export function parseTime(text) {
  const seconds = /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$/.test(text) ? Date.parse(text) / 1000 : NaN;
  // What Date.parse takes for another day (the 31st of a month that has 30) is not written as it was.
  return seconds >= 0 && formatTime(seconds) === text ? seconds : null;
}

/** Null if now is in the validity; otherwise words with the date, for "WHAT " + text. A null time cannot be read. */
export function timeProblem(from, until, now) {
  if (from === null || until === null) return "has no readable time of validity";
  if (now < from) return `is not valid before ${formatTime(from)}`;
  if (now > until) return `is stale since ${formatTime(until)}`;
  return null;
}

/** "23 h 10 min" @param {number} seconds */
export function duration(seconds) {
  const minutes = Math.trunc(seconds / 60);
  return seconds < 3600 ? `${minutes} min` : `${Math.trunc(minutes / 60)} h ${minutes % 60} min`;
}
