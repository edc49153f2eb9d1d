import { Chart, chartKinds } from "./chart.js";
import { chartLegend } from "./chartlegend.js";
import { h, onResize } from "./dom.js";
import { readLines } from "./series.js";
import { ValueScale } from "./valuescale.js";

/**
 * Charts over time. All share one span of time and one cursor with the diagram, by way of the state.
 *
 * @typedef {import("./chart.js").ChartKind} ChartKind
 * @typedef {import("./run.js").RunData} RunData
 * @typedef {import("./series.js").Line} Line
 * @typedef {import("./state.js").State} State
 */

/**
 * A section with the charts of one run, or of several side by side on one scale. Null if there is nothing to draw.
 *
 * @param {RunData[]} runs
 * @param {State} state
 */
export function chartsElement(runs, state) {
	/** @type {Chart[]} */
	const charts = [];
	const figures = chartKinds.flatMap((kind) => {
		const plots = runs.map((run) => ({ run, lines: readLines(run, kind.name), beside: kind.beside.split(" ").flatMap((name) => readLines(run, name)) }));
		if (plots.every((p) => p.lines.length === 0) || (kind.name === "lateness" && plots.every((p) => isZero(p.lines)))) return []; // in virtual time no tick is late
		const scale = new ValueScale(kind.least, plots.flatMap((p) => p.lines), plots.flatMap((p) => p.beside));
		return [figureElement(kind, plots.map((p) => new Chart(kind, p.run, p.lines, p.beside, scale, state)), charts)];
	});
	if (figures.length === 0) return null;

	linkCharts(charts, state);
	return h("div", {},
		chartLegend(runs, state),
		h("div", { class: runs.length === 1 ? "charts two" : "charts" }, figures));
}

/**
 * @param {ChartKind} kind
 * @param {Chart[]} own
 * @param {Chart[]} all to which they are added
 */
function figureElement(kind, own, all) {
	all.push(...own);
	const one = own.length === 1;
	const figure = h("figure", { class: "chart" },
		h("figcaption", {}, h("h3", {}, kind.title), one && h("p", {}, own[0].summary)),
		one ? own[0].element : h("div", { class: "side-by-side" }, own.map((chart) =>
			h("div", {}, h("h4", {}, chart.run.head.name), h("p", { class: "table-note" }, chart.summary), chart.element))));
	if (!one) figure.style.setProperty("--across", String(Math.min(own.length, 3)));
	const details = h("details", {}, h("summary", {}, `${kind.title} as a table`));
	details.addEventListener("toggle", () => {
		if (details.open && details.childElementCount === 1) details.append(...own.map((chart) => chart.table()));
	});
	figure.append(details);
	return figure;
}

/** @param {Line[]} lines */
function isZero(lines) {
	return lines.every((line) => line.high.every((value) => value === 0));
}

/** From how many values on charts are slow to draw. */
const manyValues = 60_000;

/**
 * Lets charts follow the state, the theme, and the width that they have. Those out of sight wait until they are seen.
 *
 * @param {Chart[]} charts
 * @param {State} state
 */
function linkCharts(charts, state) {
	/** @type {Map<Element, Chart>} */
	const byBox = new Map(charts.map((chart) => [chart.box, chart]));
	/** @type {Set<Chart>} */
	const seen = new Set();
	/** @type {Set<Chart>} */
	const stale = new Set();
	// Of very many machines, the charts wait until the view stands still: the diagram goes first.
	const slow = charts.reduce((sum, chart) => sum + chart.lines.reduce((n, line) => n + line.low.length, 0), 0) > manyValues;
	let moving = false;
	/** @type {ReturnType<typeof setTimeout> | undefined} */
	let still;
	let frame = 0;

	const show = (/** @type {Chart} */ chart) => {
		if (!moving && stale.delete(chart)) chart.showView();
		chart.showCursor();
	};
	const showSeen = () => {
		frame ||= requestAnimationFrame(() => {
			frame = 0;
			for (const chart of seen) show(chart);
		});
	};
	const sight = new IntersectionObserver((entries) => {
		for (const entry of entries) {
			const chart = byBox.get(entry.target);
			if (!chart) continue;
			if (!entry.isIntersecting) {
				seen.delete(chart);
				continue;
			}
			seen.add(chart);
			if (!chart.plot) chart.begin();
			show(chart);
		}
	}, { rootMargin: "200px" });
	for (const chart of charts) {
		chart.fit();
		sight.observe(chart.box);
		onResize(chart.box, () => chart.fit());
	}

	state.subscribe((changed) => {
		if (changed.has("machines")) for (const chart of charts) chart.plot?.redraw(false);
		if (changed.has("view")) {
			for (const chart of charts) stale.add(chart);
			if (slow) {
				moving = true;
				clearTimeout(still);
				still = setTimeout(() => {
					moving = false;
					showSeen();
				}, 120);
			}
		}
		if (changed.has("view") || changed.has("cursor") || changed.has("machines")) showSeen();
	});

	document.addEventListener("themechange", () => {
		const printing = document.documentElement.hasAttribute("data-print");
		moving = moving && !printing;
		for (const chart of charts) {
			chart.fit();
			if (printing && !chart.plot) chart.begin();
			if (printing) show(chart);
			chart.plot?.redraw(false, true);
		}
	});
}
