/** Results against images per class: a curve a method, its published figures hollow beside it. */
function curves(panel, width) {
  const series = seriesOf(panel.records);
  const others = panel.published.filter((number) => !panel.methods.has(number.method));
  const names = [...series.map((item) => item.name), ...new Set(others.map((number) => number.method))];
  const margin = {
    left: 38,
    right: Math.min(168, 24 + 6.7 * Math.max(...names.map((name) => short(name).length))),
    top: 28,
    bottom: 46,
  };
  const height = Math.max(320, 80 + 13 * names.length);
  const chart = frame({ title: panel.title, description: describe(series), width, height, margin });
  const { picture, inside } = chart;
  const ipcs = [
    ...new Set([...panel.records.map(({ row }) => row.ipc), ...panel.published.map(({ ipc }) => ipc)]),
  ].sort((a, b) => a - b);
  const x = logarithmic([ipcs[0], ipcs.at(-1)], [inside.left + 14, inside.right - 14]);
  const domain = accuracyDomain([
    ...panel.records.flatMap(ends),
    ...panel.published.flatMap((n) => [n.accuracy - (n.std ?? 0), n.accuracy + (n.std ?? 0)]),
  ]);
  const y = linear(domain, [inside.bottom, inside.top]);
  axisLeft(chart, accuracyAxis(domain, y, 6), `${panel.measure}, %`);
  axisBelow(
    chart,
    ipcs.map((ipc) => ({ at: x(ipc), text: String(ipc) })),
    panel.measure === ROC_AUC ? "items of a class, at most" : "images per class",
  );
  drawFloor(chart, panel, y);
  const step = Math.min(4, 22 / Math.max(series.length, 1));
  const labels = series.map((item, number) =>
    drawSeries(picture, item, (number - (series.length - 1) / 2) * step, x, y, panel),
  );
  labels.push(...drawOthers(picture, others, x, y));
  nameCurves(picture, labels, inside);
  return picture;
}

const short = (name) => (name.length > 22 ? `${name.slice(0, 21)}…` : name);

const ends = (record) => [record.mean - record.std, record.mean + record.std];

/** Curves by name; what was chosen on the test split is a curve of its own. */
function seriesOf(records) {
  const found = new Map();
  for (const record of records) {
    const oracle = kindOf(record) === "oracle";
    const name = oracle ? `${record.series}, oracle` : record.series;
    if (!found.has(name))
      found.set(name, { name, oracle, style: styleOf(record.row.label), records: [], label: record.row.label });
    found.get(name).records.push(record);
  }
  return [...found.values()].sort((a, b) => a.oracle - b.oracle || (a.name < b.name ? -1 : 1));
}

function drawSeries(picture, item, dodge, x, y, panel) {
  const kind = item.oracle ? "oracle" : "full";
  const byIpc = Map.groupBy(
    [...item.records].sort((a, b) => a.row.ipc - b.row.ipc),
    (record) => record.row.ipc,
  );
  const points = [...byIpc].map(([ipc, part]) => [
    x(ipc) + dodge,
    y(part.reduce((sum, record) => sum + record.mean, 0) / part.length),
  ]);
  picture.append(
    draw("polyline", {
      points: points.map((point) => point.map((place) => place.toFixed(1)).join(",")).join(" "),
      class: `curve ${item.style.color} ${kind}`,
    }),
  );
  for (const record of item.records) {
    const at = x(record.row.ipc) + dodge;
    const [low, high] = ends(record).map(y);
    picture.append(
      bar([at, low], [at, high], item.style, kind),
      mark(at, y(record.mean), item.style, kind, meaningOf(record), record.key),
    );
  }
  if (!item.oracle) {
    for (const number of panel.published.filter(({ method }) => method === item.label)) {
      const at = x(number.ipc) + dodge;
      if (number.std)
        picture.append(
          bar([at, y(number.accuracy - number.std)], [at, y(number.accuracy + number.std)], item.style, "hollow"),
        );
      picture.append(mark(at, y(number.accuracy), item.style, "hollow", meaningOfPublished(number)));
    }
  }
  return { name: item.name, from: points.at(-1), color: item.style.color };
}

/** Published figures of methods that have no row here, grey. */
function drawOthers(picture, numbers, x, y) {
  return [...Map.groupBy(numbers, ({ method }) => method)].map(([method, part]) => {
    for (const number of part)
      picture.append(mark(x(number.ipc), y(number.accuracy), OTHER, "hollow", meaningOfPublished(number), null, 3.2));
    const last = part.reduce((a, b) => (b.ipc >= a.ipc ? b : a));
    return { name: method, from: [x(last.ipc), y(last.accuracy)], color: "other" };
  });
}

function nameCurves(picture, labels, inside) {
  const places = apart(
    labels.map(({ from }) => from[1]),
    13,
    inside.top,
    inside.bottom,
  );
  labels.forEach(({ name, from, color }, number) => {
    const at = places[number];
    if (at === null) return;
    picture.append(
      draw("path", { d: `M${from[0] + 6},${from[1]} L${inside.right + 2},${at} h5`, class: `leader ${color}` }),
      draw("text", { x: inside.right + 11, y: at + 4, class: `label ${color}` }, draw("title", {}, name), short(name)),
    );
  });
}

function describe(series) {
  const about = series.map(
    ({ name, records }) =>
      `${name}: ${records.map((record) => `${spread(record.mean, record.std)} at ipc ${record.row.ipc}`).join(", ")}`,
  );
  return `${about.join("; ")}. The table above has every figure.`;
}
