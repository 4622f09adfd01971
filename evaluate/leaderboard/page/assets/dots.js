/** One ipc only: a line a row, best first, with every network as a faint dot. */
function dots(panel, width) {
  const lines = dotLines(panel);
  const margin = {
    left: Math.min(172, 16 + 6.5 * Math.max(...lines.map(({ name }) => short(name).length))),
    right: 16,
    top: 14,
    bottom: 46,
  };
  const height = margin.top + margin.bottom + 24 * lines.length;
  const about = lines.map(
    ({ name, record, published }) =>
      `${name}: ${record ? spread(record.mean, record.std) : `published ${spread(published.accuracy, published.std)}`}`,
  );
  const chart = frame({
    title: `${panel.title}, ipc ${panel.ipc}`,
    description: `${about.join("; ")}. The table above has every figure.`,
    width,
    height,
    margin,
  });
  const { picture, inside } = chart;
  const domain = accuracyDomain(
    lines.flatMap(({ record, published }) => [
      ...(record ? [...ends(record), ...scoresOf(record)] : []),
      ...(published ? [published.accuracy - (published.std ?? 0), published.accuracy + (published.std ?? 0)] : []),
    ]),
  );
  const x = linear(domain, [inside.left + 6, inside.right - 6]);
  axisBelow(chart, accuracyAxis(domain, x, Math.max(3, (inside.right - inside.left) / 60)), `${panel.measure}, %`);
  drawFloorAcross(chart, panel, x);
  lines.forEach(({ name, style, record, published }, number) => {
    const y = inside.top + 24 * number + 12;
    picture.append(
      draw("line", { x1: inside.left, x2: inside.right, y1: y, y2: y, class: "grid" }),
      draw(
        "text",
        { x: inside.left - 10, y: y + 4, class: `label end ${style.color}` },
        draw("title", {}, name),
        short(name),
      ),
    );
    if (published) {
      if (published.std)
        picture.append(
          bar([x(published.accuracy - published.std), y], [x(published.accuracy + published.std), y], style, "hollow"),
        );
      picture.append(
        mark(x(published.accuracy), y, style, "hollow", meaningOfPublished(published), null, record ? 4.5 : 3.6),
      );
    }
    if (record) drawDot(picture, record, style, x, y);
  });
  return picture;
}

function drawDot(picture, record, style, x, y) {
  const kind = kindOf(record);
  const [low, high] = ends(record).map(x);
  for (const value of scoresOf(record))
    picture.append(draw("circle", { cx: x(value), cy: y, r: 2.4, class: `seed ${style.color}` }));
  picture.append(
    bar([low, y], [high, y], style, kind),
    mark(x(record.mean), y, style, kind, meaningOf(record), record.key),
  );
}

/** Rows best first, those chosen on the test split below, then published figures of methods without a row. */
function dotLines(panel) {
  const oracle = (record) => kindOf(record) === "oracle";
  const records = [...panel.records].sort((a, b) => oracle(a) - oracle(b) || b.mean - a.mean);
  const told = new Set();
  const lines = records.map((record) => {
    const { label } = record.row;
    const published = oracle(record) || told.has(label) ? null : panel.published.find(({ method }) => method === label);
    if (published) told.add(label);
    return {
      name: oracle(record) ? `${record.series}, oracle` : record.series,
      style: styleOf(label),
      record,
      published,
    };
  });
  const others = panel.published
    .filter(({ method }) => !panel.methods.has(method))
    .sort((a, b) => b.accuracy - a.accuracy);
  return [...lines, ...others.map((published) => ({ name: published.method, style: OTHER, record: null, published }))];
}
