/** The line that a distilled set has to rise above: the best that its chart has without learning. */
function floorOf({ records }) {
  const found = records.filter(({ no_learning }) => no_learning);
  return found.length ? found.reduce((a, b) => (b.mean > a.mean ? b : a)) : null;
}

/** Where results rise. */
function drawFloor({ picture, inside }, panel, y) {
  const floor = floorOf(panel);
  if (!floor) return;
  const at = y(floor.mean);
  const name = draw("text", { x: inside.right - 4, y: at - 5, class: "tick end" }, "best without learning");
  picture.append(floorLine({ x1: inside.left, x2: inside.right, y1: at, y2: at }, floor), name);
}

/** Where results go to the right. */
function drawFloorAcross({ picture, inside }, panel, x) {
  const floor = floorOf(panel);
  if (!floor) return;
  const at = x(floor.mean);
  const side = at < (inside.left + inside.right) / 2 ? "" : "end";
  const name = draw("text", { x: at, y: inside.top - 3, class: `tick ${side}` }, "best without learning");
  picture.append(floorLine({ x1: at, x2: at, y1: inside.top, y2: inside.bottom }, floor), name);
}

const floorLine = (ends, floor) => draw("line", { ...ends, class: "floor" }, draw("title", {}, meaningOf(floor)));
