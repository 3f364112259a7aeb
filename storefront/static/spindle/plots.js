// Draws the plots of a page: each `data-plot` holds columns of numbers, the first of them instants in seconds.
// The same numbers stand in a table below each plot, for whoever can't see it.
(function () {
  "use strict";
  const HEIGHT = 220;
  const COLOURS = ["--accent", "--watch", "--fine"];

  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  function draw(place) {
    const columns = JSON.parse(place.dataset.plot);
    const names = place.dataset.names.split("|");
    const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line") }, ticks: { stroke: colour("--line") } };
    const days = (columns[0].at(-1) - columns[0][0]) / 86400;
    const told = new Intl.DateTimeFormat("en-GB", days > 3 ? { day: "numeric", month: "short" } : { weekday: "short", hour: "2-digit", minute: "2-digit" });
    const spoken = (at) => (at == null ? "" : told.format(new Date(at * 1000)));
    const times = { ...axis, values: (plot, splits) => splits.map(spoken), space: days > 3 ? 60 : 90 };
    const series = names.map((label, at) => ({
      label,
      stroke: colour(COLOURS[at]),
      dash: at ? [6, 4] : undefined, // told apart without colour as well
      width: 2,
      spanGaps: true,
      points: { show: true, size: 5 },
    }));
    const most = Number(place.dataset.most) || null;
    place.replaceChildren();
    new uPlot({
      width: place.clientWidth,
      height: HEIGHT,
      scales: { y: { range: (plot, low, high) => [0, most || Math.max(1, high)] } },
      axes: [times, axis],
      series: [{ label: "Time", value: (plot, at) => spoken(at) }, ...series],
    }, columns, place);
  }

  function drawAll() {
    document.querySelectorAll("[data-plot]").forEach(draw);
  }

  document.addEventListener("DOMContentLoaded", drawAll);
  let width = window.innerWidth;
  window.addEventListener("resize", function () {
    if (window.innerWidth !== width) drawAll(); // a phone's address bar comes and goes: that changes the height alone
    width = window.innerWidth;
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
})();
