/** The charts of the rows that are shown, one for each data set, protocol and network; drawn anew when these change. */
function panelsOf(records) {
  const panels = [...Map.groupBy(records, (record) => JSON.stringify(record.panel)).values()].map((part) => {
    const { row, conditions, test_split: split } = part[0];
    const methods = new Set(part.map((record) => record.row.label));
    const policy = conditions ? ` · ${conditions}` : "";
    const tested = split ? ` · ${split}` : "";
    const title = `${row.dataset}${tested} · ${row.protocol} · ${row.network}${policy}`;
    const ipcs = new Set(part.map((record) => record.row.ipc));
    const published = publishedFor(row, methods, ipcs);
    const measure = measureOf(part[0]);
    return { records: part, methods, title, measure, published, ipc: ipcs.size === 1 ? row.ipc : null };
  });
  return panels.sort((a, b) => (a.ipc !== null) - (b.ipc !== null));
}

/** The published figures of a chart, at the ipcs that it has rows for. */
function publishedFor({ dataset, network }, methods, ipcs) {
  if (state.published === "none") return [];
  const sought = state.method.trim().toLowerCase();
  return DATA.published.filter(
    (number) =>
      number.dataset === dataset &&
      number.network === network &&
      ipcs.has(number.ipc) &&
      (methods.has(number.method) || (state.published === "all" && number.method.includes(sought))),
  );
}

function drawCharts() {
  const records = shownRecords();
  const panels = panelsOf(records);
  fill(one("#curves .charts"), panels, (panel, width) =>
    panel.ipc === null ? curves(panel, width) : dots(panel, width),
  );
  fill(one("#cost .charts"), panels, costChart);
  legend(one("#cost .legend"), records);
}

function fill(place, panels, chart) {
  if (!panels.length) {
    place.replaceChildren(make("p", { class: "hint" }, "No row matches."));
    return;
  }
  const figures = panels.map((panel) =>
    make("figure", {}, make("figcaption", {}, make("bdi", {}, heading(panel, chart)))),
  );
  place.replaceChildren(...figures);
  const widths = figures.map((figure) => Math.max(260, Math.floor(figure.clientWidth)));
  figures.forEach((figure, number) => figure.append(chart(panels[number], widths[number])));
}

const heading = (panel, chart) =>
  chart !== costChart && panel.ipc !== null ? `${panel.title} · ipc ${panel.ipc}` : panel.title;

function startCharts() {
  let width = 0;
  new ResizeObserver(([seen]) => {
    if (Math.abs(seen.contentRect.width - width) < 1) return;
    width = seen.contentRect.width;
    requestAnimationFrame(drawCharts);
  }).observe(one("main"));
  for (const place of all(".charts")) {
    place.addEventListener("click", ({ target }) => {
      const key = target.closest(".mark")?.dataset.key;
      if (key) showRow(key);
    });
  }
}
