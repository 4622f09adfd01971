/** Results against what they took, on a logarithmic axis, and the rows that nothing beats in both. */
const charged = ({ row }) => Object.values(row.charged).reduce((sum, bytes) => sum + bytes, 0);

const COSTS = {
  seconds: {
    of: (record) => record.row.seconds,
    least: 0.01,
    ticks: SECOND_TICKS,
    text: duration,
    name: "time of distillation",
  },
  "all-seconds": {
    of: (record) => record.row.seconds + (record.row.expert_seconds ?? 0),
    least: 0.01,
    ticks: SECOND_TICKS,
    text: duration,
    name: "time of distillation and of the experts",
  },
  bytes: { of: (record) => record.stored, least: 1, ticks: BYTE_TICKS, text: size, name: "bytes stored" },
  charged: {
    of: (record) => charged(record) || record.stored,
    least: 1,
    ticks: BYTE_TICKS,
    text: size,
    name: "bytes as the methods' papers count",
  },
};

/** The choice of bytes that papers count is there only where that is anything else than what is stored. */
function startCost() {
  if (!DATA.rows.some(charged)) one("#cost option[value=charged]").remove();
}

function costChart(panel, width) {
  const asked = COSTS[state.cost] ?? COSTS.seconds;
  const cost = (record) => Math.max(asked.of(record) ?? asked.least, asked.least);
  const margin = { left: 38, right: 18, top: 28, bottom: 46 };
  const front = paretoFront(panel.records, cost);
  const said = front.map(
    (record) => `${record.series} at ipc ${record.row.ipc}, ${asked.text(cost(record))}, ${percent(record.mean)} %`,
  );
  const chart = frame({
    title: `${panel.title}: ${panel.measure} against ${asked.name}`,
    description: `On the Pareto front: ${said.join("; ")}. The table above has every figure.`,
    width,
    height: 320,
    margin,
  });
  const { picture, inside } = chart;
  const costs = logDomain(panel.records.map(cost));
  const x = logarithmic(costs, [inside.left, inside.right]);
  const domain = accuracyDomain(panel.records.flatMap(ends));
  const y = linear(domain, [inside.bottom, inside.top]);
  axisLeft(chart, accuracyAxis(domain, y, 6), `${panel.measure}, %`);
  axisBelow(
    chart,
    asked.ticks
      .filter((value) => value >= costs[0] && value <= costs[1])
      .map((value) => ({ at: x(value), text: asked.text(value) })),
    asked.name,
  );
  drawFloor(chart, panel, y);
  if (front.length)
    picture.append(
      draw("path", {
        d: steps(
          front.map((record) => [x(cost(record)), y(record.mean)]),
          inside,
        ),
        class: "front",
      }),
    );
  const order = [...panel.records].sort((a, b) => front.includes(a) - front.includes(b));
  for (const record of order) {
    const at = x(cost(record));
    const style = styleOf(record.row.label);
    const [low, high] = ends(record).map(y);
    picture.append(
      bar([at, low], [at, high], style, kindOf(record)),
      mark(at, y(record.mean), style, kindOf(record), `${meaningOf(record)}, ${asked.text(cost(record))}`, record.key),
    );
  }
  if (panel.ipc === null)
    numberFront(
      picture,
      front.map((record) => ({ ipc: record.row.ipc, at: [x(cost(record)), y(record.mean)] })),
    );
  return picture;
}

/** Honest rows that are better than every cheaper one, cheapest first. */
function paretoFront(records, cost) {
  const order = records
    .filter((record) => kindOf(record) !== "oracle")
    .sort((a, b) => cost(a) - cost(b) || b.mean - a.mean);
  const front = [];
  for (const record of order) if (!front.length || record.mean > front.at(-1).mean) front.push(record);
  return front;
}

function steps(points, inside) {
  const [first, ...rest] = points.map(([x, y]) => [x.toFixed(1), y.toFixed(1)]);
  return `M${first[0]},${inside.bottom} V${first[1]} ${rest.map(([x, y]) => `H${x} V${y}`).join(" ")} H${inside.right}`;
}

/** Images per class above the front, where there is room for the number. */
function numberFront(picture, points) {
  let last = [-Infinity, 0];
  for (const { ipc, at } of points) {
    if (Math.hypot(at[0] - last[0], at[1] - last[1]) < 24) continue;
    picture.append(draw("text", { x: at[0] - 7, y: at[1] - 7, class: "tick end" }, String(ipc)));
    last = at;
  }
}

function legend(list, records) {
  const labels = [...new Set(records.map(({ row }) => row.label))].sort();
  const picture = (label, kind = "full") =>
    draw(
      "svg",
      { viewBox: "0 0 14 14", width: 14, height: 14, "aria-hidden": "true" },
      mark(7, 7, styleOf(label), kind, label),
    );
  list.replaceChildren(...labels.map((label) => make("li", {}, picture(label), make("bdi", {}, label))));
}
