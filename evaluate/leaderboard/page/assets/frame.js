/** An empty chart: a picture for screen readers, with title and description, and its axes. */
let charts = 0;

function frame({ title, description, width, height, margin }) {
  charts += 1;
  const ids = [`chart-${charts}-title`, `chart-${charts}-about`];
  const about = [draw("title", { id: ids[0] }, title), draw("desc", { id: ids[1] }, description)];
  const picture = draw(
    "svg",
    { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-labelledby": ids[0], "aria-describedby": ids[1] },
    ...about,
  );
  const inside = { left: margin.left, right: width - margin.right, top: margin.top, bottom: height - margin.bottom };
  return { picture, inside };
}

function axisBelow({ picture, inside }, ticks, name) {
  let free = -Infinity;
  for (const { at, text } of ticks) {
    const half = 3.4 * text.length;
    const fits = at - half > free && at >= inside.left - 1 && at <= inside.right + 1;
    picture.append(
      draw("line", { x1: at, x2: at, y1: inside.bottom, y2: inside.bottom + (fits ? 5 : 3), class: "axis" }),
    );
    if (!fits) continue;
    picture.append(draw("text", { x: at, y: inside.bottom + 18, class: "tick middle" }, text));
    free = at + half + 6;
  }
  picture.append(
    draw("line", { x1: inside.left, x2: inside.right, y1: inside.bottom, y2: inside.bottom, class: "axis" }),
    draw("text", { x: (inside.left + inside.right) / 2, y: inside.bottom + 36, class: "name middle" }, name),
  );
}

function axisLeft({ picture, inside }, ticks, name) {
  for (const { at, text } of ticks) {
    picture.append(
      draw("line", { x1: inside.left, x2: inside.right, y1: at, y2: at, class: "grid" }),
      draw("text", { x: inside.left - 8, y: at + 4, class: "tick end" }, text),
    );
  }
  picture.append(draw("text", { x: inside.left - 30, y: inside.top - 10, class: "name" }, name));
}

const accuracyAxis = (domain, scale, most) =>
  accuracyTicks(domain, most).map((value) => ({ at: scale(value), text: accuracyTick(value) }));
