import { h, onResize } from "./dom.js";
import { formatCount, formatPlural } from "./format.js";
import { tableElement } from "./tables.js";
import { machineProperty, themeColor } from "./theme.js";

/**
 * How often values occurred, one small chart per machine.
 *
 * @typedef {import("./types.js").Run} Run
 * @typedef {import("./types.js").Histogram} Histogram
 */

/** How many machines are drawn; all are in the table. */
const drawnHistograms = 12;

/**
 * The histograms of a run; null if it has none.
 *
 * @param {Run} run
 */
export function histogramsElement(run) {
	const all = run.histograms.filter((histogram) => histogram.counts.length > 0);
	if (all.length === 0) return null;
	const top = Math.max(...all.flatMap((histogram) => histogram.counts));
	const columns = all.reduce((a, b) => (b.labels.length > a.labels.length ? b : a)).labels;
	const details = h("details", {}, h("summary", {}, "Histograms as a table"));
	details.addEventListener("toggle", () => {
		if (!details.open || details.childElementCount > 1) return;
		details.append(tableElement({
			title: `Events by jump (${run.name})`, columns: ["machine", ...columns], keys: 1,
			rows: all.map((histogram) => [histogramName(run, histogram), ...columns.map((_, i) => formatCount(histogram.counts[i] ?? 0))]),
		}));
	});
	return h("div", {},
		h("div", { class: "charts small" }, all.slice(0, drawnHistograms).map((histogram) => histogramElement(run, histogram, columns, top))),
		all.length > drawnHistograms && h("p", { class: "table-note" }, `The first ${drawnHistograms} of ${all.length} machines; the table has all.`),
		details);
}

/**
 * @param {Run} run
 * @param {Histogram} histogram
 */
function histogramName(run, histogram) {
	return `vm-${run.machines[histogram.machine]?.id ?? histogram.machine}`;
}

/** Height of a bar: 0 for none, 1 for one, and 1 more for each factor of 10. @param {number} count */
function barHeight(count) {
	return count > 0 ? 1 + Math.log10(count) : 0;
}

/**
 * @param {Run} run
 * @param {Histogram} histogram
 * @param {string[]} labels
 * @param {number} top greatest count of all
 */
function histogramElement(run, histogram, labels, top) {
	const total = histogram.counts.reduce((a, b) => a + b, 0);
	const most = histogram.counts.indexOf(Math.max(...histogram.counts));
	const last = histogram.counts.findLastIndex((count) => count > 0);
	const summary = `${formatPlural(total, "event")}: most often ${labels[most]} (${formatCount(histogram.counts[most])}), at most ${labels[last]} (${formatCount(histogram.counts[last])})`;
	const box = h("div", { class: "plot", role: "img", "aria-label": `${histogramName(run, histogram)}. ${summary}` });
	const figure = h("figure", { class: "chart" },
		h("figcaption", {}, h("h3", {}, histogramName(run, histogram)), h("p", {}, summary)), box);
	const property = machineProperty(run.machines[histogram.machine]?.color ?? histogram.machine);

	/** @type {uPlot | null} */
	let plot = null;
	const draw = () => {
		const width = Math.floor(box.clientWidth);
		if (width <= 0) return;
		if (plot) {
			if (plot.width !== width) plot.setSize({ width, height: 150 });
			return;
		}
		plot = new uPlot({
			width, height: 150, padding: [6, 6, 0, 0], legend: { show: false }, cursor: { show: false },
			scales: {
				x: { time: false, range: () => [-0.6, labels.length - 0.4] },
				y: { range: () => [0, barHeight(top) * 1.03] },
			},
			axes: [
				{
					stroke: () => themeColor("--muted"), font: `11px ${themeColor("--sans")}`, size: 26, gap: 3, grid: { show: false }, ticks: { show: false },
					splits: () => everyNth(labels, (width - 34) / 44), values: (_u, splits) => splits.map((i) => labels[i]),
				},
				{
					stroke: () => themeColor("--muted"), font: `11px ${themeColor("--sans")}`, gap: 4, ticks: { show: false }, grid: { stroke: () => themeColor("--hairline"), width: 1 },
					size: (_u, values) => Math.max(28, ...(values ?? []).map((v) => 12 + v.length * 6)),
					splits: () => everyNth(Array.from({ length: Math.floor(barHeight(top)) + 1 }), 5),
					values: (_u, splits) => splits.map((s) => (s === 0 ? "0" : formatCount(10 ** (s - 1)))),
				},
			],
			series: [
				{},
				{
					fill: () => themeColor(property), stroke: () => themeColor(property), width: 0, points: { show: false },
					paths: uPlot.paths.bars?.({ size: [0.82, 60], align: 0 }),
				},
			],
		}, [labels.map((_, i) => i), labels.map((_, i) => barHeight(histogram.counts[i] ?? 0))], box);
	};
	onResize(box, draw);
	document.addEventListener("themechange", () => {
		draw();
		plot?.redraw(false, true);
	});
	return figure;
}

/**
 * The places of a list, thinned out to about as many as fit.
 *
 * @param {unknown[]} list
 * @param {number} room
 */
function everyNth(list, room) {
	const step = Math.max(1, Math.ceil(list.length / Math.max(1, Math.floor(room))));
	return list.flatMap((_, i) => (i % step === 0 ? [i] : []));
}
