/** Values to pixels, and the numbers that stand on axes. */
function linear([low, high], [from, to]) {
  return (value) => from + ((value - low) / (high - low)) * (to - from);
}

function logarithmic([low, high], range) {
  const scale = linear([Math.log10(low), Math.log10(high)], range);
  return (value) => scale(Math.log10(Math.max(value, low)));
}

/** The stretch of accuracies to draw, some air around it, within [0, 1]. */
function accuracyDomain(values) {
  const low = Math.min(...values);
  const high = Math.max(...values);
  const air = Math.max((high - low) * 0.08, 0.01);
  return [Math.max(0, low - air), Math.min(1, high + air)];
}

function accuracyTicks([low, high], most) {
  const step = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2].find((size) => (high - low) / size <= most) ?? 0.25;
  const ticks = [];
  for (let number = Math.ceil(low / step - 1e-9); number * step <= high + 1e-9; number += 1) ticks.push(number * step);
  return ticks;
}

const percent = (fraction, digits = 1) => (100 * fraction).toFixed(digits);
const accuracyTick = (value) => String(Number((100 * value).toFixed(1)));
const spread = (mean, std) =>
  std === null || std === undefined ? `${percent(mean)} %` : `${percent(mean)} ± ${percent(std)} %`;

function meanAndStd(values) {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return [mean, Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length)];
}

const SECOND_TICKS = [0.01, 0.1, 1, 10, 60, 600, 3600, 36000, 360000, 3600000];
const BYTE_TICKS = [1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12];

function duration(seconds) {
  for (const [unit, length] of [
    ["h", 3600],
    ["min", 60],
    ["s", 1],
  ]) {
    if (seconds >= length) return `${Number((seconds / length).toPrecision(2))} ${unit}`;
  }
  return `${Number((1000 * seconds).toPrecision(2))} ms`;
}

function size(bytes) {
  for (const [unit, count] of [
    ["GB", 1e9],
    ["MB", 1e6],
    ["kB", 1e3],
  ]) {
    if (bytes >= count) return `${Number((bytes / count).toPrecision(3))} ${unit}`;
  }
  return `${bytes} B`;
}

/** A stretch of a logarithmic axis that holds these values and, so that it can be read, at least one decade. */
function logDomain(values) {
  const low = Math.min(...values);
  const high = Math.max(...values);
  const middle = Math.sqrt(low * high);
  return [Math.min(low / 1.4, middle / 3.2), Math.max(high * 1.4, middle * 3.2)];
}

/** Places as near to those wanted as room allows, `gap` apart, in the order wanted; null for those without room. */
function apart(wanted, gap, low, high) {
  const room = Math.max(0, Math.floor((high - low) / gap) + 1);
  const order = wanted
    .map((place, index) => ({ place, index }))
    .slice(0, room)
    .sort((a, b) => a.place - b.place);
  let last = low - gap;
  for (const item of order) last = item.place = Math.max(item.place, last + gap);
  let next = high + gap;
  for (const item of order.reverse()) next = item.place = Math.min(item.place, next - gap);
  const places = wanted.map(() => null);
  for (const item of order) places[item.index] = item.place;
  return places;
}
