/** Each label has a color and a shape of its own, the same in all charts whatever is filtered. */
const POLYGONS = [
  null,
  [
    [-0.88, -0.88],
    [0.88, -0.88],
    [0.88, 0.88],
    [-0.88, 0.88],
  ],
  [
    [0, -1.2],
    [1.1, 0.8],
    [-1.1, 0.8],
  ],
  [
    [0, -1.25],
    [1.25, 0],
    [0, 1.25],
    [-1.25, 0],
  ],
  [
    [0, 1.2],
    [1.1, -0.8],
    [-1.1, -0.8],
  ],
  [
    [-0.4, -1.15],
    [0.4, -1.15],
    [0.4, -0.4],
    [1.15, -0.4],
    [1.15, 0.4],
    [0.4, 0.4],
    [0.4, 1.15],
    [-0.4, 1.15],
    [-0.4, 0.4],
    [-1.15, 0.4],
    [-1.15, -0.4],
    [-0.4, -0.4],
  ],
  [
    [-0.65, -1.1],
    [0.65, -1.1],
    [1.3, 0],
    [0.65, 1.1],
    [-0.65, 1.1],
    [-1.3, 0],
  ],
];
const COLORS = 7;

const STYLES = new Map();
{
  const isBaseline = ({ row, no_learning }) => no_learning || row.method.startsWith("random");
  const baselines = new Set(DATA.rows.filter(isBaseline).map(({ row }) => row.label));
  const labels = [...new Set(DATA.rows.map(({ row }) => row.label))].sort();
  const shape = (number) => (number + Math.floor(number / COLORS)) % POLYGONS.length;
  labels
    .filter((label) => !baselines.has(label))
    .forEach((label, number) => {
      STYLES.set(label, { color: `c${number % COLORS}`, shape: shape(number) });
    });
  [...baselines]
    .sort()
    .forEach((label, number) => STYLES.set(label, { color: "base", shape: number % POLYGONS.length }));
}

const OTHER = { color: "other", shape: 0 };
const styleOf = (label) => STYLES.get(label) ?? OTHER;

/** A mark with what it means as its tooltip. kind: "full", "hollow" (published) or "oracle". */
function mark(x, y, style, kind, meaning, key = null, radius = 4.5) {
  const points = POLYGONS[style.shape];
  const form = points
    ? draw("polygon", {
        points: points.map(([dx, dy]) => `${(x + radius * dx).toFixed(1)},${(y + radius * dy).toFixed(1)}`).join(" "),
      })
    : draw("circle", { cx: x.toFixed(1), cy: y.toFixed(1), r: radius });
  return draw("g", { class: `mark ${style.color} ${kind}`, "data-key": key }, draw("title", {}, meaning), form);
}

function bar(from, to, style, kind) {
  return draw("line", { x1: from[0], y1: from[1], x2: to[0], y2: to[1], class: `bar ${style.color} ${kind}` });
}

const ROC_AUC = "ROC-AUC";
const measureOf = ({ row }) => (row.roc_auc.length ? ROC_AUC : "accuracy");

/** What a row is ranked by, one value a network. */
const scoresOf = ({ row }) => (row.roc_auc.length ? row.roc_auc : row.accuracy);

const kindOf = (record) => (record.row.selection === "oracle" ? "oracle" : "full");

function meaningOf(record) {
  const { row } = record;
  const chosen = row.selection === "oracle" ? ", chosen on the test split" : "";
  const name = `${record.series}${record.no_learning ? ", no learning" : ""}`;
  return `${name}, ipc ${row.ipc}: ${scoreOf(record)} over ${row.seeds.length} seeds${chosen}`;
}

/** Of graphs both measures. */
function scoreOf(record) {
  const score = spread(record.mean, record.std);
  if (measureOf(record) !== ROC_AUC) return score;
  return `${ROC_AUC} ${score}, accuracy ${spread(...meanAndStd(record.row.accuracy))}`;
}

const meaningOfPublished = (number) =>
  `${number.method}, ipc ${number.ipc}, published: ${spread(number.accuracy, number.std)}. ${number.source}`;
